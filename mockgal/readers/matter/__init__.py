"""Matter in files of its own: particles and density grids that come beside a halo catalogue."""
