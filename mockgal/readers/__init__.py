"""Readers: one file per format family, native units to internal ones."""
