"""Mocks that differ in their seed: made together, and measured together."""
