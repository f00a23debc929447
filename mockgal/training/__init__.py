"""Making weights of the dm2gal network from pairs of runs."""
