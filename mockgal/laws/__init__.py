"""What painters predict: stellar mass, further columns given stellar mass, and satellites."""
