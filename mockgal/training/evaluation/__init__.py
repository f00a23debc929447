"""How good a network is: scores, the choice of an epoch, the card."""
