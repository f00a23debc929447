"""Selection of galaxies."""
