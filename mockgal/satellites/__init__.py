"""Satellites for hosts that come without subhalos."""
