"""Correlation functions from pair counts."""
