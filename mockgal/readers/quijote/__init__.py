"""Quijote: groups of FoF and their snapshots."""
