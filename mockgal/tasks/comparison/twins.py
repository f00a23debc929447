"""The truth matched with the gravity-only simulation, subhalo by subhalo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import MockgalError
from ...painters.hydro import galaxies_at
from ...types import GalaxyCatalog, Scene
from ..build import select

Array = NDArray[Any]


class Twins(NamedTuple):
    """A hydrodynamic run and its gravity-only twin, matched.

    Parameters
    ----------
    hydro, dark : Scene
        Both sorted by id.
    stellar_mass : ndarray, shape (n,)
        Stellar mass of the galaxy matched with each gravity-only subhalo [Msun/h]; 0 without one.
    method : str
        How subhalos were matched.
    """

    hydro: Scene
    dark: Scene
    stellar_mass: Array
    method: str


def matched(hydro: Scene, dark: Scene) -> tuple[Twins | None, str]:
    """Return two runs matched with each other, or None and why they were not."""
    from ...calibration.matching.match import match
    from ...calibration.matching.twins import check_twins
    from ...calibration.runs import by_id

    hydro, dark = by_id(hydro), by_id(dark)
    try:
        check_twins(hydro, dark)
        pairs = match(hydro, dark)
    except MockgalError as error:
        return None, (
            f"{hydro.snapshot.name} and {dark.snapshot.name} were not matched ({error.where}: "
            f"found {error.found})"
        )
    mass = np.zeros(len(dark.halos))
    mass[pairs.dark_rows] = hydro.halos["stellar_mass"][pairs.hydro_rows]
    return Twins(hydro, dark, mass, pairs.method), ""


def second_truth(
    twins: Twins, own: GalaxyCatalog, cuts: Sequence[str]
) -> tuple[GalaxyCatalog, str]:
    """Return the masses of matched galaxies at gravity-only positions, cut, and a note on them.

    Parameters
    ----------
    twins : Twins
    own : GalaxyCatalog
        The galaxies of the truth, before the cuts.
    cuts : sequence of str
    """
    second = select(galaxies_at(twins.dark, twins.stellar_mass, own), *cuts)
    truth = select(own, *cuts)["stellar_mass"].astype(np.float64)
    share = float(second["stellar_mass"].astype(np.float64).sum() / truth.sum())
    return second, (
        f"The second truth (matched masses) has the stellar masses of {len(second):,} of the "
        f"{len(truth):,} galaxies of the truth, with {share:.1%} of their mass, at the positions "
        f"and velocities of the subhalos of {twins.dark.snapshot.name} matched by {twins.method}; "
        "the others have no counterpart there. Its difference from the truth is the ceiling: no "
        "painter on this simulation can be expected to come closer."
    )
