"""Statistics of catalogues and fields, each with its errors and settings."""
