"""Power spectra of boxes and sub-cubes, with their multipoles, errors and aliasing."""
