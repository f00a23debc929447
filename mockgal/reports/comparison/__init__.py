"""Mocks beside the truth: ratios, verdicts, costs and maps, as objects."""
