"""Formats that cannot be read: what they are, and how to convert them."""
