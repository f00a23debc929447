"""A synthetic universe, from initial conditions to galaxies, for tests and documentation.

Matter and halos come from a small particle-mesh simulation. Galaxies follow an invented law
(`galaxies.Law`), which depends in part on the surroundings of a halo. It tests whether code that
learns or measures such laws recovers the input. It is no simulation of galaxies, its halos are
resolved no better than its mesh, and no figure from it says anything about the real universe.
"""

from .galaxies import Law
from .make import Run, Universe, make_universe, write_universe

__all__ = ["Law", "Run", "Universe", "make_universe", "write_universe"]
