"""Data models: the columns, names and units that the pipelines of surveys read."""
