"""Text tables from anyone, read in a stream."""
