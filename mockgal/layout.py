"""Names inside our own HDF5 files, which one room writes and another reads: once, here."""

# The bundle: /halos/<column>, /particles, /density; docs/reference/bundle.md describes it.
BUNDLE_ATTRIBUTE = "mockgal_bundle"  # of the root; its value is the version of the layout
BUNDLE_VERSION = 1
COMPLETE = "complete"  # of the root; 1, written last
HEADER = "header"
HALOS = "halos"
PARTICLES = "particles"
POSITION = "particles/position"
MASS = "particles/mass"  # dataset, or attribute `mass` of the group where all masses are equal
DENSITY = "density"

# Attributes of a density grid, and the unit that each kind is written with.
GRID_ATTRIBUTES = ("boxsize", "unit", "kind", "mas", "redshift", "origin")
GRID_UNITS = {"counts": "", "mass": "Msun/h", "delta": ""}
