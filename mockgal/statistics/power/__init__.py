"""Power spectra."""
