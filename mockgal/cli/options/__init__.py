"""Options of the commands, in groups, and their types."""
