"""Linear power spectra and abundances of halos, from published fits."""
