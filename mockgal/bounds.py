"""Physical bounds on the numbers of a catalogue: no universe has values beyond them.

The bounds are wide: they refuse impossible values, such as damaged numbers or numbers in another
unit, but not rare ones. Values above ``rare`` are read and counted, with a warning.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Bounds(NamedTuple):
    """The range of a quantity, in its internal unit.

    Parameters
    ----------
    least, most : float
        Ends of the range, both included.
    why : str
        Why no value lies beyond them.
    rare : float
        Magnitude above which values are possible, but worth a warning.
    smallest : float
        Smallest magnitude of a nonzero value.
    unmeasured : bool
        Whether NaN and infinity mark unmeasured values, and so are no error.
    """

    least: float
    most: float
    why: str
    rare: float = np.inf
    smallest: float = 0.0
    unmeasured: bool = False

    def outside(self, values: Array) -> NDArray[np.bool_] | None:
        """Return a mask of the rows with a value out of bounds, shape (n,); None if there are none.

        Parameters
        ----------
        values : ndarray, shape (n,) or (n, 3)
        """
        if not len(values):
            return None
        low, high = values.min(), values.max()  # NaN if any value is NaN
        if (low >= self.least and high <= self.most) and (not self.smallest or low > self.smallest):
            return None
        with np.errstate(invalid="ignore"):
            bad = ~((values >= self.least) & (values <= self.most))
            if self.smallest:
                bad |= (values != 0) & (np.abs(values) < self.smallest)
        if self.unmeasured:
            bad &= np.isfinite(values)
        rows = np.any(bad.reshape(len(values), -1), axis=1)
        return rows if rows.any() else None

    def rarely(self, values: Array) -> NDArray[np.intp]:
        """Return the rows with a magnitude above ``rare``."""
        if not len(values) or not max(values.max(), -values.min()) > self.rare:
            return np.zeros(0, dtype=np.intp)
        return np.flatnonzero((np.abs(values) > self.rare).reshape(len(values), -1).any(axis=1))

    def text(self, unit: str) -> str:
        """Return the range with its reason, for messages."""
        unit = f" {unit}" * bool(unit)
        zero = f" (or 0), not below {self.smallest:g}" * bool(self.smallest)
        return f"{self.least:g} to {self.most:g}{unit}{zero}: {self.why}"


MASS = Bounds(
    0.0,
    1e18,
    "clusters have up to 5e15 Msun/h, linked groups 2e16",
    rare=2e16,
    smallest=1e-20,
)
STELLAR_MASS = Bounds(
    0.0, 1e15, "the stars of the largest clusters are 1e13 Msun/h", rare=5e13, smallest=1e-20
)
SPEED = Bounds(
    -3e4,
    3e4,
    "a tenth of the speed of light; clusters that collide have 5e3 km/s",
    rare=1e4,
)
VMAX = Bounds(0.0, 3e4, "halos of 5e15 Msun/h have 3e3 km/s", rare=5e3, smallest=1e-7)
RADIUS = Bounds(
    0.0, 10.0, "the stars of the largest clusters reach 1 Mpc/h", rare=1.5, smallest=1e-12
)
CONCENTRATION = Bounds(0.0, 1e6, "radii are positive, and scale radii resolved", unmeasured=True)
NUMBER = Bounds(0, 10**14, "the largest runs have 1e13 particles")
RIGHT_ASCENSION = Bounds(0.0, 360.0, "a circle has 360 degrees")
SCALE_FACTOR = Bounds(0.0, 2.0, "it is 1 today, and runs end soon after")
SHARE = Bounds(0.0, 1.0, "it is a part of the whole")
DECLINATION = Bounds(-90.0, 90.0, "the poles are at 90 degrees")
REDSHIFT = Bounds(-0.2, 1200.0, "peculiar velocities are small, and nothing is seen beyond 1100")
PARTICLE_MASS = Bounds(
    0.0, 1e18, "64^3 particles that fill 10 Gpc/h have 3e17 Msun/h", smallest=1e-20
)
# Each voxel of a density grid, by kind; delta may be just below -1 from single-precision rounding.
VOXEL = {
    "counts": Bounds(0.0, 1e14, "the largest runs have 1e13 particles"),
    "mass": Bounds(0.0, 1e26, "all matter in 100 Gpc/h has 9e25 Msun/h"),
    "delta": Bounds(-1.0 - 1e-5, 1e15, "no matter is -1, and all matter in one voxel N^3 - 1"),
}
