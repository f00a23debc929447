"""Untrusted HDF5 files: sizes checked before allocation, risky reads in a helper process."""
