"""What painters predict: stellar mass, further columns at given stellar mass, and satellites."""
