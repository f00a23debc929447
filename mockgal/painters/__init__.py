"""Painters: a stellar mass for every subhalo."""
