"""Light cones beside each other: what is measured of galaxies on the sky, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UsageError
from ...reports.comparison.statistics import N_OF_Z, SKY_WANTED
from ...reports.comparison.verdicts import TRUTH
from ...statistics.sky.number_density import number_density
from ...survey.steps import STEPS, redshift_column
from ...theory.distances import distances
from ...types import GalaxyCatalog

if TYPE_CHECKING:
    from ...reports.comparison.statistics import Wanted
    from ...statistics.result import Measurement

_REACH = {  # largest separations [Mpc/h] in a survey that is deep enough
    "sky_wp": {"r_max": 30.0, "pi_max": 40.0},
    "sky_xi_multipoles": {"r_max": 30.0},
}
NEEDED = ("ra", "dec", "redshift", "is_central", "stellar_mass")


def refuse_what_boxes_have(given: Mapping[str, Any]) -> None:
    """Raise if there are inputs and options that only periodic boxes have.

    Parameters
    ----------
    given : mapping
        By option; those without a value are not meant.

    Raises
    ------
    UsageError
    """
    flags = [flag for flag, value in given.items() if value]
    if flags:
        raise UsageError(
            "compare",
            f"{', '.join(flags)}, with light cones",
            "none: they are for periodic boxes",
            "leave it out" if len(flags) == 1 else "leave them out",
        )


def wanted_on_the_sky(names: Sequence[str], *, with_randoms: bool) -> tuple[Wanted, ...]:
    """Return the statistics of these keys; by default all that the randoms allow.

    Raises
    ------
    UsageError
        A statistic is one of periodic boxes, or needs randoms that are not there.
    """
    of_boxes = [name for name in names if name not in [one.key for one in SKY_WANTED]]
    if of_boxes:
        raise UsageError(
            f"--statistic {','.join(of_boxes)}",
            "light cones",
            "one of " + ", ".join(one.key for one in SKY_WANTED),
            "leave it out; statistics of periodic boxes need positions in one",
        )
    if not with_randoms:
        without = [name for name in names if name != N_OF_Z]
        if without:
            raise UsageError(
                f"--statistic {','.join(without)}",
                "no randoms",
                "points at random in the survey that all catalogues are of",
                "name them: --randoms PATH",
            )
        return tuple(one for one in SKY_WANTED if one.key == N_OF_Z)
    return tuple(one for one in SKY_WANTED if not names or one.key in names)


def check_frames(catalogues: Mapping[str, GalaxyCatalog]) -> bool:
    """Return whether the catalogues are on the sky; raise if some are and others are not.

    Raises
    ------
    UsageError
    """
    on_the_sky = [name for name, one in catalogues.items() if one.frame == "sky"]
    if on_the_sky and len(on_the_sky) < len(catalogues):
        others = [name for name in catalogues if name not in on_the_sky]
        raise UsageError(
            "compare",
            f"{', '.join(on_the_sky)} on the sky, and {', '.join(others)} in a periodic box",
            "all on the sky, or all in periodic boxes",
            "make light cones of all: mockgal survey",
        )
    return bool(on_the_sky)


def measurer(
    catalogues: Mapping[str, GalaxyCatalog], randoms: GalaxyCatalog | None, jackknife: int
) -> Callable[[str, Wanted], Measurement]:
    """Return what measures a statistic of a catalogue, in the bins and regions of the truth.

    All are numbered by the same regions, made of the randoms, as many as these have, whatever
    regions the files have.

    Parameters
    ----------
    catalogues : mapping of str to GalaxyCatalog
    randoms : GalaxyCatalog or None
        Of the survey that all are of.
    jackknife : int
        0 for errors without a jackknife.
    """
    from ...statistics.names import measure

    edges: list[Any] = []
    options: dict[str, Any] = {} if jackknife else {"jackknife": 0}
    if jackknife and randoms is not None and "region" in randoms:
        options = {"jackknife": len(np.unique(randoms["region"]))}
    points = randoms and _without_regions(randoms)

    def of(name: str, wanted: Wanted) -> Measurement:
        galaxies = catalogues[name]
        if wanted.key != N_OF_Z:
            own = _without_regions(galaxies)
            reach = _reach(catalogues[TRUTH], wanted.statistic)
            return measure(own, wanted.statistic, randoms=points, **reach, **options)
        found = number_density(galaxies, randoms=randoms, edges=edges[0] if edges else None)
        if name == TRUTH:
            edges.append(np.append(found["redshift_low"], found["redshift_high"][-1]))
            return found
        return replace(found, style=found.style._replace(lines=()))  # those of the truth are drawn

    return of


def _reach(truth: GalaxyCatalog, statistic: str) -> dict[str, Any]:
    """Return the largest separations, a quarter of the depth of the survey at most."""
    if statistic not in _REACH:
        return {}
    z = truth[redshift_column(truth)]
    ends = np.array([max(float(z.min()), 0.0), float(z.max())])
    near, far = distances(truth.snapshot.cosmology, float(ends[1])).distances(ends)
    return {name: float(min(most, (far - near) / 4.0)) for name, most in _REACH[statistic].items()}


def _without_regions(catalogue: GalaxyCatalog) -> GalaxyCatalog:
    """Return a catalogue without its numbers of regions, and their record."""
    columns = {name: values for name, values in catalogue.columns.items() if name != "region"}
    steps = [x for x in catalogue.provenance.get(STEPS, []) if x.get("step") != "regions"]
    return replace(catalogue, columns=columns).with_provenance(**{STEPS: steps})
