"""Columns of many rows that need not be in memory."""
