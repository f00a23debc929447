"""Train weights of the dm2gal network on pairs of runs."""
