"""Weights of the network in untrusted files: by name, by path, from checkpoints."""
