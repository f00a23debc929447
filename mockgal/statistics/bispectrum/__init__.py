"""Bispectra: the estimator, its triangles, and its jackknife."""
