"""Bispectra."""
