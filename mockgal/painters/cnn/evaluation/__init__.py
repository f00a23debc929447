"""Exact evaluation in tiles, which shares convolutions between neighbouring subhalos."""
