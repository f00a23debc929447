"""Evaluate a network: scores, the choice of an epoch, the card."""
