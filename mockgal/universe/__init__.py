"""A synthetic universe: made up from initial conditions to galaxies, for tests and documentation.

Matter is that of a small particle-mesh simulation, and so are halos; galaxies follow a law that is
invented here (`galaxies.Law`), part of which is what surrounds a halo. What it is for: whether code
that learns or measures such laws finds what was put in. It is no simulation of galaxies, its halos
are resolved no better than its mesh, and no figure taken from it says anything about the universe.
"""

from .galaxies import Law
from .make import Run, Universe, make_universe, write_universe

__all__ = ["Law", "Run", "Universe", "make_universe", "write_universe"]
