"""The write protocol: outputs whole or not at all, one run at a time, signals between steps."""
