"""Models of halotools as painters."""
