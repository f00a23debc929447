"""Clustering of galaxies on the sky, against randoms."""
