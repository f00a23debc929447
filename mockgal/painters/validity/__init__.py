"""Where a painter is valid, and what is missing or uncertain where it is not."""
