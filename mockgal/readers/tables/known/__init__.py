"""Formats that are tables with fixed names: one module each, see `mockgal.readers.tables`."""
