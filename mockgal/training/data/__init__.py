"""Training data: targets, crops, splits, and fields in files."""
