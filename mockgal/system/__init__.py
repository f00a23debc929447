"""The machine: memory, threads, progress, files, and what objects look like on the screen."""
