"""Weights of the network in files from anyone: by name, by path, from checkpoints."""
