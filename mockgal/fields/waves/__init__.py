"""Fourier modes of gridded fields: transforms, interlacing, and long waves."""
