"""One statistic of several mocks: its mean, its scatter, and its covariance between bins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError, warn
from ..layout import POPULATED
from .bins import common_bins
from .result import ERROR, Field, Measurement

Array = NDArray[Any]

OF_THE_MEAN, OF_ONE = "_error_of_the_mean", "_error_of_one_mock"


class Factors(NamedTuple):
    """What a covariance from n mocks in b bins needs, where it is inverted for a fit.

    Parameters
    ----------
    hartlap : float
        (n - b - 2) / (n - 1), by which its inverse is multiplied; NaN if it has no inverse.
    percival_a, percival_b : float
        A and B. Errors of p parameters from such a fit are multiplied by the square root of
        (1 + B (b - p)) / (1 + A + B (p + 1)).
    """

    hartlap: float
    percival_a: float
    percival_b: float


def factors(mocks: int, bins: int) -> Factors:
    """Return the factors of a covariance from mocks.

    Parameters
    ----------
    mocks, bins : int

    References
    ----------
    Hartlap, Simon & Schneider 2007 (astro-ph/0608064), equation 17; Percival et al. 2014
    (arXiv:1312.4841), equations 8 and 18.

    Examples
    --------
    >>> from mockgal.statistics.ensemble import factors
    >>> round(factors(100, 18).hartlap, 3)
    0.808
    """
    excess = mocks - bins - 2
    hartlap = excess / (mocks - 1) if excess > 0 else np.nan
    if mocks - bins - 4 <= 0:
        return Factors(hartlap, np.nan, np.nan)
    below = (mocks - bins - 1) * (mocks - bins - 4)
    return Factors(hartlap, 2 / below, excess / below)


def combine(results: Sequence[Measurement]) -> Measurement:
    """Return the mean of one statistic over several mocks: see `mockgal.combine`.

    Raises
    ------
    UsageError
        There are fewer than two; or they are of several statistics, or differ in their settings or
        bins.
    """
    _check(results)
    results = in_common_bins(results)
    first = results[0]
    columns: dict[str, Array] = {}
    fields = dict(first.fields)
    realisations = {
        name: np.stack([one[name].astype(np.float64) for one in results])
        for name in first.estimates
    }
    for name, values in first.columns.items():
        if name.endswith(ERROR) and name.removesuffix(ERROR) in first.estimates:
            continue
        columns[name] = values if _is_edge(name) else _mean([one[name] for one in results])
    for name, numbers in realisations.items():
        scatter = numbers.std(axis=0, ddof=1)
        own = np.stack([one[name + ERROR].astype(np.float64) for one in results])
        columns[name + ERROR] = scatter
        columns[name + OF_THE_MEAN] = scatter / np.sqrt(len(results))
        columns[name + OF_ONE] = np.sqrt(np.mean(own**2, axis=0))
        unit = fields[name].unit
        fields[name + ERROR] = Field(unit, f"standard deviation of {name} of one mock")
        fields[name + OF_THE_MEAN] = Field(unit, f"standard error of the mean of {name}")
        what = f"root mean square of the errors of {name} that each mock states"
        fields[name + OF_ONE] = Field(unit, what)
    return Measurement(
        first.statistic,
        columns,
        fields,
        first.axis,
        first.estimates,
        first.count,
        _settings(results),
        error_degrees_of_freedom=float(len(results) - 1),
        style=first.style,
        realisations=realisations,
    )


def _is_edge(name: str) -> bool:
    return name.endswith(("_low", "_high"))


def _mean(values: Sequence[Array]) -> Array:
    """Return a mean over mocks: of flags whether all have it, of counts a fraction."""
    if values[0].dtype == bool:
        return np.asarray(np.all(values, axis=0))
    return np.asarray(np.mean(np.stack(values).astype(np.float64), axis=0))


def _check(results: Sequence[Measurement]) -> None:
    if len(results) < 2:
        raise UsageError(
            "combine", f"{len(results)} results", "those of two mocks at least", "measure more"
        )
    first = results[0]
    for one in results[1:]:
        for what in ("statistic", "axis", "estimates"):
            if getattr(one, what) != getattr(first, what):
                raise UsageError(
                    "combine",
                    f"the {what} {getattr(first, what)} and {getattr(one, what)}",
                    "one statistic",
                    "combine each statistic alone",
                )
        if one.realisations:
            raise UsageError(
                "combine", "a result of several mocks", "those of one mock each", "leave it out"
            )
    catalogues = [one.settings.get("catalogue", {}).get("content_digest") for one in results]
    known = [digest for digest in catalogues if digest]
    if len(set(known)) < len(known):
        raise UsageError(
            f"combine {first.statistic}",
            "the same galaxies twice",
            "each mock once",
            "leave copies out",
        )
    differing = [name for name in _DEFINING if len({_text(one, name) for one in results}) > 1]
    if differing:
        raise UsageError(
            f"combine {first.statistic}",
            f"results that differ in {', '.join(differing)}",
            "one choice of options, simulation box and cuts",
            "measure all in the same way",
        )


_OF_ALL = "mocks"  # key of the settings that say what is of which mock
# What may not differ between the mocks of an ensemble; what a result does not state is alike.
_DEFINING = (
    *("weight", "space", "line_of_sight", "shot_noise_subtracted", "bin_width_dex"),
    *("pi_max_mpc_h", "mu_bins", "k1_h_per_mpc", "k2_h_per_mpc", "shell_width_h_per_mpc"),
    *("grid_size", "assignment", "interlaced", "voxel_size_mpc_h", "host_mass_definition"),
    *("box_size_mpc_h", "redshift", "cosmology", "cuts", "painter", "calibration"),
    *("weights", "redshift_column", "fiducial_cosmology", "estimator", "recipe_digest"),
)


def _text(result: Measurement, name: str) -> str:
    catalogue = result.settings.get("catalogue", {})
    # Files have the keys of a section in the order of the alphabet.
    return json.dumps(result.settings.get(name, catalogue.get(name)), sort_keys=True)


def in_common_bins(results: Sequence[Measurement], *, quiet: bool = False) -> list[Measurement]:
    """Return the results in the bins that all have; warn of bins that are left out."""
    rows = np.arange(len(results[0]))
    for one in results[1:]:
        rows = np.intersect1d(rows, common_bins(results[0], one)[0])
    if not len(rows):
        raise UsageError(
            f"combine {results[0].statistic}",
            "results without a bin that all have",
            "the same bins",
            "state them when you measure, such as --r-min and --r-max",
        )
    kept = []
    base = _taken(results[0], rows)
    for one in results:
        there, own = common_bins(base, one)
        kept.append(_taken(one, own[np.argsort(there)]))
    left_out = max(len(one) for one in results) - len(rows)
    if left_out and not quiet:
        warn(
            f"{results[0].statistic}: {left_out} bins, which only some mocks have, are left out",
        )
    return kept


def _taken(result: Measurement, rows: Array) -> Measurement:
    return replace(
        result,
        columns={name: values[rows] for name, values in result.columns.items()},
        left_out={name: values[:, rows] for name, values in result.left_out.items()},
    )


def _settings(results: Sequence[Measurement]) -> dict[str, Any]:
    """Return what all state alike, and of each mock what tells it from the others."""
    shared = _alike([one.settings for one in results])
    catalogues = [one.settings.get("catalogue", {}) for one in results]
    own: dict[str, Any] = {
        key: [catalogue.get(key) for catalogue in catalogues]
        for key in ("seed", "galaxies", "content_digest")
        if any(key in catalogue for catalogue in catalogues)
    }
    simulations = {_simulation(catalogue) for catalogue in catalogues}
    if all(catalogues):
        numbers = [catalogue["galaxies"] for catalogue in catalogues]
        of_all = {"simulation": "several", **shared.get("catalogue", {})}
        shared["catalogue"] = {
            **of_all,
            "mocks": len(results),
            "galaxies": round(sum(numbers) / len(numbers)),
        }
    one = shared.get("errors")
    stated = {str(result.settings.get("errors", "not stated")) for result in results}
    return {
        **shared,
        _OF_ALL: {"number": len(results), **own},
        "errors": f"scatter of one mock over {len(results)} mocks, which contains "
        + (_DRAW if len(simulations) == 1 else _STRUCTURE),
        "errors_of_one_mock": one if one is not None else " / ".join(sorted(stated)),
    }


_DRAW = (
    "what differs between seeds, such as the painter's draw: no cosmic variance, as all are of one "
    "simulation, and no error of the law"
)
_STRUCTURE = "the structure of their simulations and the painter's draw: no error of the law"


def _simulation(catalogue: Mapping[str, Any]) -> str:
    """Return what identifies the simulation of a mock, without the satellites drawn into it."""
    reading = {k: x for k, x in (catalogue.get("reading") or {}).items() if k != POPULATED}
    facts = [catalogue.get("simulation"), catalogue.get("halo_digest"), reading]
    return json.dumps(facts, sort_keys=True)


def _alike(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings that all have alike, within sections too."""
    found: dict[str, Any] = {}
    for key, value in settings[0].items():
        others = [one.get(key) for one in settings[1:]]
        if isinstance(value, Mapping) and all(isinstance(other, Mapping) for other in others):
            found[key] = _alike([one[key] for one in settings])
        elif all(_equal(value, other) for other in others):
            found[key] = value
    return found


def _equal(one: object, other: object) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)
