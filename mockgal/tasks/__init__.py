"""One module for each command: the only place where the rooms meet."""
