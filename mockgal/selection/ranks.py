"""Selection by rank: the most massive galaxies of a catalogue."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError, warn
from ..layout import MISSING_CHUNKS
from ..protocols import takes
from ..types import GalaxyCatalog, Snapshot

_UNIT = "h^3/Mpc^3"


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


def ranks(galaxies: GalaxyCatalog, column: str) -> NDArray[np.int64]:
    """Return the rank of each galaxy by a column: 1 for the largest value.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    column : str

    Returns
    -------
    ndarray of int, shape (n,)
        Among equal values the lowest id is first. What is not a number comes last.
    """
    values = galaxies[column]
    keys = [galaxies[name] for name in ("copy", "halo_id", "galaxy_id") if name in galaxies]
    # Of whole numbers, ~n = -n - 1 reverses the order; floats would round large ids.
    whole = values.dtype.kind in "bi"
    order = np.lexsort((*keys, ~values.astype(np.int64) if whole else -values))
    found = np.empty(len(values), dtype=np.int64)
    found[order] = np.arange(1, len(values) + 1)
    return found


def volume_of(snapshot: Snapshot) -> float:
    """Return the comoving volume of a box [(Mpc/h)^3].

    Raises
    ------
    UsageError
        Galaxies are on the sky; or chunks of the box were missing.
    """
    snapshot.check_periodic("number density", "give a density by redshift, n_of_z, in its place")
    if missing := snapshot.record.get(MISSING_CHUNKS):
        raise UsageError(
            "number density",
            f"a box read without its chunks {missing}, whose volume is not known",
            "a whole box",
            "select by stellar mass, --cut",
        )
    return float(snapshot.box_size**3)


def to_density(galaxies: GalaxyCatalog, density: float) -> GalaxyCatalog:
    """Return the galaxies of the highest stellar mass, down to a number density in their box.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    density : float
        Comoving number density [h^3 Mpc^-3]; the number is rounded.

    Returns
    -------
    GalaxyCatalog
        Galaxies keep their order; the cut is in ``provenance["cuts"]``.

    Raises
    ------
    UsageError
        The catalogue is no whole box, has too few galaxies, or is not complete down to this
        density; the message has the largest density that it reaches.

    Warns
    -----
    MockgalWarning
        The catalogue is complete at no stellar mass, or does not say where it is.

    Examples
    --------
    >>> from mockgal.selection.ranks import to_density
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> len(to_density(mock, 0.05)) == round(0.05 * 16**3)
    True
    """
    snapshot, volume = galaxies.snapshot, volume_of(galaxies.snapshot)
    number, complete = round(density * volume), galaxies.completeness
    reached, why = len(galaxies), "which are all galaxies of the mock"
    if complete.low is not None:
        reached = int(np.count_nonzero(galaxies["stellar_mass"] >= complete.low))
        why = f"down to {complete.low:.4g} Msun/h, where it is complete: {complete.because}"
    if not 0 < number <= reached:
        raise UsageError(
            "number density",
            f"{density:.6g} {_UNIT}, {number:,} galaxies in {snapshot.box_size:g} Mpc/h",
            f"from {1 / volume:.4g} to {reached / volume:.6g} {_UNIT}, {reached:,} galaxies, {why}",
            "ask for fewer, or paint a deeper sample",
        )
    if complete.limit is None or complete.high < math.inf:
        warn(
            f"the most massive galaxies down to {density:.6g} {_UNIT} are those of a mock that may "
            f"lack some (its completeness: {complete}); with these it would reach this density at "
            "a higher stellar mass",
        )
    chosen = most_massive(galaxies, number)
    *before, entry = chosen.provenance["cuts"]
    entry = {**entry, "cut": f"{entry['cut']}: {density:.6g} {_UNIT}", "density_h3_mpc3": density}
    return chosen.with_provenance(cuts=[*before, entry])


def to_densities(galaxies: GalaxyCatalog, densities: Sequence[float]) -> GalaxyCatalog:
    """Return samples of several number densities, each of which holds the rarer ones.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    densities : sequence of float
        Comoving number densities [h^3 Mpc^-3].

    Returns
    -------
    GalaxyCatalog
        The galaxies of the largest density (`to_density`), with the column
        ``cumulative_number_density`` [h^3 Mpc^-3]: a sample has those that do not exceed its own.
        The entry of ``provenance["cuts"]`` lists, for each sample, its number of galaxies, their
        least stellar mass, and whether the sample is complete.

    Raises
    ------
    UsageError
        See `to_density`.

    Examples
    --------
    >>> from mockgal.selection.ranks import to_densities
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> samples = to_densities(mock, [0.05, 0.01])
    >>> rare = mockgal.select(samples, "cumulative_number_density <= 0.01 h^3/Mpc^3")
    >>> len(samples), len(rare)
    (205, 41)
    """
    chosen = to_density(galaxies, max(densities))
    volume, mass = volume_of(galaxies.snapshot), chosen["stellar_mass"]
    rank = ranks(chosen, "stellar_mass")
    samples = []
    for density in sorted(densities, reverse=True):
        taken = rank <= round(density * volume)
        least = float(mass[taken].min()) if taken.any() else None
        samples.append(
            {
                "density_h3_mpc3": density,
                "galaxies": int(np.count_nonzero(taken)),
                "from_msun_h": least,
                "complete": least is not None and chosen.completeness.limit is not None,
            }
        )
    *before, entry = chosen.provenance["cuts"]
    # With its own galaxy as a half, a cut on the column rounds as `to_density` does.
    column = (rank - 0.5) / volume
    chosen = chosen.with_columns(cumulative_number_density=column)
    return chosen.with_provenance(cuts=[*before, {**entry, "samples": samples}])
