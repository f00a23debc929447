"""Exact evaluation in tiles that shares convolutions between neighbouring subhalos."""
