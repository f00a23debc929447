"""Parameters of a HOD from measurements: tables of pairs, likelihood, priors, and the sampler."""
