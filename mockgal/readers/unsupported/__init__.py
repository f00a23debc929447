"""What cannot be read: what it is, and the way in."""
