"""Waves of grids: Fourier transforms, interlacing, and sums over modes."""
