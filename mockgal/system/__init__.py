"""The machine: memory, threads, progress, files, and how objects are displayed on the screen."""
