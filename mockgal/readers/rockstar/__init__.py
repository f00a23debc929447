"""Rockstar and consistent-trees lists."""
