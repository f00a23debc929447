"""What the steps of a survey share: keyed random numbers, and the record of what was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import random
from ..columns import NEXT_SNAPSHOT
from ..errors import UsageError
from ..types import GalaxyCatalog

Array = NDArray[Any]

ALL = slice(None)  # the rows of a catalogue
_BLOCK = 1 << 16  # rows for which numbers are drawn at a time
_MANY = 1 << 13  # numbers from which on a compiled loop is worth its loading
STEPS = "survey"  # of the provenance: the steps in their order, with their counts


def uniform(
    galaxies: GalaxyCatalog,
    seed: int,
    purpose: str,
    *,
    draw: int = 0,
    rows: Array | slice = ALL,
) -> Array:
    """Return a number in (0, 1) for each galaxy, keyed by the seed, the purpose and its identity.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        Identified by ``galaxy_id``, and by ``copy`` if the box was repeated.
    seed : int
    purpose : str
        Of the numbers: each has a stream of its own.
    draw : int
        For galaxies that need more than one number.
    rows : ndarray or slice
        Of the n galaxies that need one; by default all.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    ids = galaxies["galaxy_id"][rows]
    copy = galaxies["copy"][rows] if "copy" in galaxies else None
    result = np.empty(len(ids))
    for start in range(0, len(ids), _BLOCK):
        part = slice(start, start + _BLOCK)
        stream = f"survey {purpose}"
        _fill(seed, stream, ids[part], None if copy is None else copy[part], draw, result[part])
    return result


def _fill(seed: int, stream: str, ids: Array, copy: Array | None, draw: int, out: Array) -> None:
    """Fill ``out`` with the numbers of galaxies of these ids and copies."""
    if copy is None:
        out[:] = drawn(seed, stream, ids, draw)
        return
    snapshot, shift = np.divmod(copy, NEXT_SNAPSHOT)
    for one in np.unique(snapshot):
        own, _ = random.of_snapshot(stream, int(one) * NEXT_SNAPSHOT)
        rows = np.flatnonzero(snapshot == one)
        out[rows] = drawn(seed, own, ids[rows], draw, shift[rows])


def drawn(
    seed: int, stream: str, ids: Array, draw: int = 0, sub_index: Array | None = None
) -> Array:
    """Return `mockgal.random.uniform` of ids, by a compiled loop if there are many."""
    further = np.zeros(len(ids), dtype=np.int64) if sub_index is None else sub_index
    if len(ids) < _MANY:
        return random.uniform(seed, stream, ids, draw=draw, sub_index=further)
    from ..system.kernels import uniform_of

    numbers = np.ascontiguousarray(ids, dtype=np.int64).view(np.uint64)
    result = np.empty(len(ids))
    uniform_of(numbers, further, draw, *random.stream_key(seed, stream), result)
    return result


def normal(galaxies: GalaxyCatalog, seed: int, purpose: str) -> Array:
    """Return a normal number of mean 0 and variance 1 for each galaxy, keyed as in `uniform`."""
    from scipy.special import ndtri

    return np.asarray(ndtri(uniform(galaxies, seed, purpose)))


def recorded(galaxies: GalaxyCatalog, step: str, **facts: Any) -> GalaxyCatalog:
    """Return the catalogue with a step added to those in its provenance."""
    steps = [*galaxies.provenance.get(STEPS, []), {"step": step, **facts}]
    return galaxies.with_provenance(**{STEPS: steps})


def earlier(galaxies: GalaxyCatalog, step: str) -> list[Mapping[str, Any]]:
    """Return the records of the times that a step was taken before."""
    return [one for one in galaxies.provenance.get(STEPS, []) if one.get("step") == step]


def chosen(
    galaxies: GalaxyCatalog, kept: Array, step: str, why: str, facts: Mapping[str, Any]
) -> GalaxyCatalog:
    """Return the galaxies of a mask, with the counts of the step.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    kept : ndarray of bool, shape (n,)
    step : str
    why : str
        Why the sample is incomplete within its volume, if it is; "" if it is not.
    facts : mapping
        What else to record.
    """
    rows = np.flatnonzero(kept)
    before, completeness = len(galaxies), galaxies.completeness
    if why and len(rows) < before:
        completeness = completeness.lacking(why)
    taken = galaxies if len(rows) == before else galaxies.take(rows)  # all: without a copy
    taken = taken.with_completeness(completeness)
    return recorded(taken, step, before=before, after=len(rows), **facts)


def redshift_column(galaxies: GalaxyCatalog) -> str:
    """Return the column of redshifts that a survey sees: with their errors, if they have some."""
    return "redshift_measured" if "redshift_measured" in galaxies else "redshift"


def mass_column(galaxies: GalaxyCatalog) -> str:
    """Return the column of stellar masses that a survey sees: with their errors, if they exist."""
    return "stellar_mass_measured" if "stellar_mass_measured" in galaxies else "stellar_mass"


def check_sky(galaxies: GalaxyCatalog, what: str) -> None:
    """Raise if a catalogue has no place on the sky, or no redshifts that a survey sees.

    Raises
    ------
    UsageError
    """
    if galaxies.frame == "box":
        raise UsageError(
            what, "galaxies in a periodic box", "galaxies on the sky", "make a light cone first"
        )
    check_columns(galaxies, what, "ra", "dec", redshift_column(galaxies))


def check_unweighted(galaxies: GalaxyCatalog, what: str, *further: str) -> None:
    """Raise if galaxies have weights or a number density that a step would make wrong.

    Raises
    ------
    UsageError
    """
    found = [n for n in ("number_density", "weight", "weight_fkp", *further) if n in galaxies]
    if found:
        raise UsageError(
            what,
            f"galaxies that have {', '.join(found)} already",
            "galaxies without weights, which this step would make wrong",
            "take all steps in one recipe, from the mock in the box or its light cone",
        )


def check_columns(galaxies: GalaxyCatalog, what: str, *names: str) -> None:
    """Raise if a catalogue on the sky lacks a column.

    Raises
    ------
    UsageError
    """
    missing = [name for name in names if name not in galaxies]
    if missing:
        raise UsageError(
            what,
            f"galaxies on the sky without {', '.join(missing)}",
            "galaxies with it",
            "read all columns; a file of a data model may lack it, the mock has it",
        )


def check_randoms(points: GalaxyCatalog, galaxies: GalaxyCatalog) -> None:
    """Raise if the randoms of galaxies are themselves galaxies.

    Raises
    ------
    UsageError
        They are recorded as painted, or are the same catalogue.
    """
    painter = (points.provenance.get("painter") or {}).get("name")
    if painter not in (None, "randoms") or points is galaxies:
        raise UsageError(
            "randoms",
            "galaxies" + f", painted by {painter}" * bool(painter),
            "points at random on the sky of the survey",
            "make them: randoms: {times: 20} in the section survey of a recipe; in Python "
            "mockgal.survey.randoms.randoms",
        )
