"""Fit the parameters of a HOD: `mockgal fit`."""
