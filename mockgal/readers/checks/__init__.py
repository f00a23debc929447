"""Checks that every reader shares: rows, identities, regions, physics."""
