"""Where a painter holds, and what is missing or uncertain where it does not."""
