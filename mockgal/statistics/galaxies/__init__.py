"""One-point statistics: mass function, occupation, satellite fraction, stellar-to-halo relation."""
