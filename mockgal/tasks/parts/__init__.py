"""Builds in parts: halos shared out on disk, painted part by part, and merged."""
