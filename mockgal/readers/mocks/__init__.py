"""Mocks that mockgal wrote, read back."""
