"""The dm2gal network: crops of the fields around each subhalo to a law of stellar mass."""
