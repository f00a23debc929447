"""Compare mocks with the truth: `mockgal compare`."""
