"""One task a command: read, populate, paint, select, write and measure meet here alone."""
