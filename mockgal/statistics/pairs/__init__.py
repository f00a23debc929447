"""Correlation functions, from counts of pairs."""
