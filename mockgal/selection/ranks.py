"""Selection by rank: the most massive galaxies of a catalogue."""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..protocols import takes
from ..types import GalaxyCatalog


@takes(GalaxyCatalog)
def most_massive(galaxies: GalaxyCatalog, number: int) -> GalaxyCatalog:
    """Return the galaxies of the highest stellar mass, which selects a number density.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    number : int
        How many; among equal masses those of the lowest ``galaxy_id``.

    Returns
    -------
    GalaxyCatalog
        Complete down to its least stellar mass, or to just above it if other galaxies of that mass
        were left out. ``provenance["cuts"]`` gains an entry.

    Raises
    ------
    UsageError
        ``number`` is not an integer from 0 to the number of galaxies.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> chosen = mockgal.most_massive(mock, 100)
    >>> len(chosen), float(chosen["stellar_mass"].min()) == chosen.completeness.low
    (100, True)
    """
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    if not whole or not 0 <= number <= len(galaxies):
        raise UsageError(
            "most massive galaxies",
            repr(number),
            f"a whole number from 0 to {len(galaxies)}, the number of galaxies",
            "ask for fewer",
        )
    mass = galaxies["stellar_mass"]
    order = np.lexsort((galaxies["halo_id"], galaxies["galaxy_id"], -mass))
    text = f"the {number} galaxies of the highest stellar mass"
    entry = {"cut": text, "before": len(galaxies), "after": int(number)}
    completeness, left_out = galaxies.completeness, order[number:]
    if number == 0 and len(left_out):
        completeness = completeness.lacking(f"selected: {text}")
    elif len(left_out):
        least, next_one = mass[order[number - 1]], mass[order[number]]
        low = np.nextafter(least, np.inf, dtype=mass.dtype) if next_one == least else least
        completeness = completeness.raised(float(low), text)
    chosen = galaxies.take(np.sort(order[:number])).with_completeness(completeness)
    return chosen.with_provenance(cuts=[*galaxies.provenance.get("cuts", []), entry])
