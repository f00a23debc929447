"""Samples to train on: targets, crops, splits, fields in files."""
