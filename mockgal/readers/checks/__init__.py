"""Checks shared by all readers: rows, identities, regions, physics."""
