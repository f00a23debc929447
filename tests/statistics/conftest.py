"""Modules of samples in this folder can be imported by the tests below it."""
