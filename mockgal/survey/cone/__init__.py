"""Parts of a light cone: copies of the box, its remapping, and the loops over galaxies."""
