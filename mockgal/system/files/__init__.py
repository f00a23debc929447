"""The write protocol: complete outputs or none, one run at a time, signals between steps."""
