"""Mass on grids, and the Fourier modes of gridded fields."""
