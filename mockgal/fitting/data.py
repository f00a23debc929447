"""The measurements to fit: the bins of a statistic, with their covariance, or a number density."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, UnitsError, UsageError, listed, shown, warn
from ..fields.sample import AXES
from ..statistics.covariance import Covariance
from ..statistics.result import Measurement
from .covariances import SAME, Mocks, in_words, mocks_of, own_covariance, rows_of
from .tables.masses import StellarMassBins
from .tables.pairs import ALL, Bins

Array = NDArray[Any]

LENGTH, DENSITY = "Mpc / littleh", "littleh3 / Mpc3"
MASS, PER_DEX = "Msun / littleh", "littleh3 / (Mpc3 dex)"
MASS_FUNCTION = "mass_function"
_SAMPLE = 0.01  # dex of stellar mass, by which two samples may differ
_LOGARITHMS = 20.0  # edges below are no stellar masses in Msun/h


class Fittable(NamedTuple):
    """A statistic that can be fitted: its estimate, the units, and how it is predicted."""

    estimate: str
    unit: str
    axis_unit: str
    predicted: str


STATISTICS = {
    "wp": Fittable("w_p", LENGTH, LENGTH, "wp"),
    "sky_wp": Fittable("w_p", LENGTH, LENGTH, "wp"),
    "xi": Fittable("xi", "", LENGTH, "xi"),
    MASS_FUNCTION: Fittable(MASS_FUNCTION, PER_DEX, MASS, MASS_FUNCTION),
}
KNOWN = 10**9  # number of mocks of a covariance that is known


@dataclass(frozen=True)
class Target:
    """The bins of a statistic that are fitted.

    Parameters
    ----------
    name : str
        Where it is from, for messages.
    statistic : str
    bins : Bins or StellarMassBins
        Of all the bins from the first to the last.
    rows : ndarray of int, shape (n,)
        Those of them that are fitted.
    abscissa, value : ndarray, shape (n,)
    matrix : ndarray, shape (n, n)
        The covariance.
    number : int
        Mocks, or sub-volumes, that the covariance is from; `KNOWN` if it has no error.
    source : str
        ``"mocks"``, ``"jackknife"`` or ``"stated"``.
    unit : str
    mocks : Mocks or None
        Those that the covariance is from, if their numbers are known.
    scaled_by : float
        What the covariance of the data was multiplied by; see `structure_factor`.
    """

    name: str
    statistic: str
    bins: Bins | StellarMassBins
    rows: Array
    abscissa: Array
    value: Array
    matrix: Array
    number: int
    source: str
    unit: str
    mocks: Mocks | None = None
    scaled_by: float = 1.0

    @property
    def error(self) -> Array:
        """The standard errors, shape (n,)."""
        return np.asarray(np.sqrt(np.diag(self.matrix)))


@dataclass(frozen=True)
class DensityTarget:
    """A number density of galaxies [h^3 Mpc^-3], with its error; None for that of the mocks."""

    value: float
    error: float | None

    def __post_init__(self) -> None:
        error = 1.0 if self.error is None else self.error
        if not (0.0 < error < math.inf and 0.0 < self.value < math.inf):
            raise UsageError(
                "fit:number_density",
                f"{self.value:g} with an error of {error:g} h^3/Mpc^3",
                "two numbers above 0",
                'such as --number-density "3e-3 h^3/Mpc^3" --number-density-error "1e-4 h^3/Mpc^3"',
            )


def target(
    data: Measurement,
    covariance: Covariance | Measurement | None = None,
    *,
    name: str = "the data",
    r_min: float = 0.0,
    r_max: float = math.inf,
    floor: float | None = None,
    scaled_by: float = 1.0,
) -> Target:
    """Return the bins of a measurement to fit.

    Parameters
    ----------
    data : Measurement
        Of one of `STATISTICS`.
    covariance : Covariance or Measurement, optional
        Or the mean of several mocks (`mockgal.combine`), whose scatter it is from. By default that
        of the measurement itself, if it has one: of several mocks, or of a jackknife.
    name : str
        For messages.
    r_min, r_max : float
        Bins of separation that reach below or beyond these are left out [Mpc/h].
    floor : float, optional
        Least stellar mass of the model's galaxies [Msun/h], below which bins of a mass function
        are left out. Without one, a mass function cannot be fitted.
    scaled_by : float
        What the covariance is multiplied by.

    Raises
    ------
    UsageError
        It is another statistic, or one that the model does not predict; it has no covariance, the
        covariance is of other bins, or no bin is left.
    UnitsError
        The data or the covariance are in other units.
    BadValueError
        The bins do not follow each other, or a value is not a number.
    """
    if data.statistic not in STATISTICS:
        raise UsageError(
            name,
            f"the statistic {data.statistic}",
            "one that can be fitted: " + ", ".join(STATISTICS),
            "measure one of these",
        )
    kind = STATISTICS[data.statistic]
    estimate = kind.estimate
    _check_units(name, data, kind)
    low, high = (data[f"{data.axis}_{end}"].astype(np.float64) for end in ("low", "high"))
    if not (np.all(low < high) and np.allclose(low[1:], high[:-1], rtol=SAME)):
        raise BadValueError(
            name, "bins that do not follow each other", "each beginning where the last one ends"
        )
    if floor is not None and kind.predicted != MASS_FUNCTION:
        _check_sample(name, data, floor)
    if kind.predicted == MASS_FUNCTION:
        rows = _complete(name, data, low, floor)
    else:
        rows = np.flatnonzero((low >= r_min * (1 - SAME)) & (high <= r_max * (1 + SAME)))
    mocks = covariance if isinstance(covariance, Measurement) else None
    if covariance is None:
        covariance, mocks = own_covariance(name, data, estimate), data
    elif isinstance(covariance, Measurement):
        covariance = own_covariance(f"covariance of {name}", covariance, estimate)
    if data.realisations:
        warn(
            f"{name}: the mean of several mocks is fitted with the errors of one mock, so that "
            "intervals are those of a fit to one"
        )
    _check_possible(name, data, kind, np.diag(covariance.matrix))
    matched = rows_of(name, data, estimate, covariance, rows)
    value = data[estimate].astype(np.float64)
    error = np.sqrt(np.diag(covariance.matrix))[matched]
    good = np.isfinite(value[rows]) & (error > 0)
    if not good.all():
        axis = data[data.axis][rows[~good]]
        warn(
            f"{name}: bins without a value or an error are left out, at {data.axis} = "
            f"{listed(f'{x:.4g}' for x in axis)} {in_words(kind.axis_unit)}"
        )
        rows, matched = rows[good], matched[good]
    if not len(rows):
        fix = "choose another --r-min or --r-max"
        if kind.predicted == MASS_FUNCTION:
            fix = "choose another --luminosity-floor, or data that are complete (see the warnings)"
        raise UsageError(name, "no bin to fit", "at least one", fix)
    first, stop = int(rows[0]), int(rows[-1]) + 1
    edges = tuple(map(float, np.append(low[first:stop], high[stop - 1])))
    return Target(
        name,
        data.statistic,
        _bins(name, data, kind.predicted, edges),
        rows - first,
        data[data.axis][rows].astype(np.float64),
        value[rows],
        scaled_by * covariance.matrix[np.ix_(matched, matched)],
        covariance.number,
        covariance.source,
        kind.unit,
        None if mocks is None else mocks_of(mocks, estimate, matched),
        scaled_by,
    )


def scaling(
    survey_volume: float | None,
    box_size: float,
    halo_digest: str,
    data: Sequence[Measurement],
    names: Sequence[str],
) -> float:
    """Return `structure_factor`; 1 without a volume, with a warning for data of other halos."""
    if survey_volume is not None:
        return structure_factor(survey_volume, box_size)
    for one, name in zip(data, names, strict=True):
        if one.settings.get("catalogue", {}).get("halo_digest") != halo_digest:
            warn(
                f"{name}: nothing says that the data are from these halos, whose structure is "
                "taken to have no scatter of its own: if they are not, intervals are too narrow. "
                "Give the volume that they are from (--survey-volume)"
            )
    return 1.0


def structure_factor(survey_volume: float, box_size: float) -> float:
    """Return what covariances of a survey are multiplied by, for the structure of the box.

    Its fluctuations are a draw as those of the survey are. If their covariance goes as one over
    the volume, that of the difference is 1 + V_survey / V_box times the survey's, as in fits of
    Vakili & Hahn 2019, arXiv:1610.01991.

    Parameters
    ----------
    survey_volume : float
        [Mpc^3 h^-3]
    box_size : float
        [Mpc/h]

    Raises
    ------
    UsageError
        The volume is no number above 0.
    """
    if not 0.0 < survey_volume < math.inf:
        raise UsageError(
            "fit:survey_volume",
            f"{survey_volume:g} Mpc^3/h^3",
            "a volume above 0",
            'such as --survey-volume "7e7 Mpc^3/h^3"',
        )
    return 1.0 + survey_volume / box_size**3


def _check_units(name: str, data: Measurement, kind: Fittable) -> None:
    for column, expected in ((data.axis, kind.axis_unit), (kind.estimate, kind.unit)):
        found = data.fields[column].unit
        if found != expected:
            shown = in_words(expected) or "no unit"
            raise UnitsError(
                f"{name}:{column}", found or "no unit", shown, "convert it, with its covariance"
            )


def _check_sample(name: str, data: Measurement, floor: float) -> None:
    """Warn if galaxies of another stellar mass are in the data than the model has."""
    stated = data.settings.get("complete_from_msun_h")
    if isinstance(stated, int | float) and abs(math.log10(stated / floor)) > _SAMPLE:
        warn(
            f"{name}: galaxies from {stated:.4g} Msun/h on, and a model of galaxies from "
            f"{floor:.4g} Msun/h on (--luminosity-floor): they are different samples"
        )


def _check_possible(name: str, data: Measurement, kind: Fittable, variance: Array) -> None:
    """Raise if a mass function or a variance is negative."""
    value = data[kind.estimate].astype(np.float64)
    negative = value[value < 0] if kind.predicted == MASS_FUNCTION else value[:0]
    if len(negative):
        raise BadValueError(
            f"{name}:{kind.estimate}",
            f"{negative[0]:.4g}",
            f"numbers from 0 on [{in_words(kind.unit)}]",
            "if these are logarithms, give the numbers themselves",
        )
    if (variance < 0).any():
        found = f"a variance of {variance[variance < 0][0]:.4g}"
        raise BadValueError(f"covariance of {name}", found, "variances above 0")


def _complete(name: str, data: Measurement, low: Array, floor: float | None) -> Array:
    """Return the bins of a mass function that are complete, and above a floor [Msun/h]."""
    if floor is None:
        raise UsageError(
            name,
            "a mass function, and a model that does not predict it: the stellar masses of its "
            "galaxies are those of --stellar-mass-law, whatever its parameters",
            "a model of stellar masses",
            '--model leauthaud11 --luminosity-floor MASS, such as "1e9 Msun/h"',
        )
    whole = np.ones(len(low), dtype=np.bool_)
    if "complete" in data.columns:
        whole = data["complete"].astype(np.bool_)
    for wrong, why in (
        (low < floor * (1 - SAME), f"begin below the floor of the model, {floor:.4g} Msun/h"),
        (~whole, "are not known to be complete"),
    ):
        if wrong.any():
            warn(f"{name}: {np.count_nonzero(wrong)} of {len(low)} bins are left out, which {why}")
            whole = whole & ~wrong
    return np.flatnonzero(whole)


def _bins(
    name: str, data: Measurement, predicted: str, edges: tuple[float, ...]
) -> Bins | StellarMassBins:
    if predicted == MASS_FUNCTION:
        return StellarMassBins(edges)
    axis = str(data.settings.get("line_of_sight", ALL))
    axis = axis if axis in AXES else ALL
    if predicted == "xi":
        space = str(data.settings.get("space", "real"))
        return Bins("xi", edges, 0.0, "" if space == "real" else axis)
    pi_max = data.settings.get("pi_max_mpc_h")
    if not isinstance(pi_max, int | float) or not 0 < pi_max < math.inf:
        raise BadValueError(
            f"{name}:pi_max_mpc_h", f"{pi_max!r}", "the length along the line of sight, in Mpc/h"
        )
    return Bins("wp", edges, float(pi_max), axis)


def tabulated(
    statistic: str,
    edges: Any,
    values: Any,
    covariance: Any,
    *,
    number: int = KNOWN,
    pi_max: float = 0.0,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Measurement, Covariance]:
    """Return numbers from elsewhere as a measurement and its covariance, which `mockgal.fit` takes.

    Parameters
    ----------
    statistic : str
        ``"wp"``, ``"xi"`` or ``"mass_function"``.
    edges : array_like, shape (n + 1,)
        Of the bins [Mpc/h]; of the mass function, stellar masses [Msun/h].
    values : array_like, shape (n,)
        w_p [Mpc/h], xi, or galaxies per volume and decade of mass [h^3 Mpc^-3 dex^-1].
    covariance : array_like, shape (n, n) or (n,)
        The covariance, or the errors of values without one.
    number : int
        Mocks, or jackknife regions, that it is from. By default it is known without error.
    pi_max : float
        For wp: largest separation along the line of sight [Mpc/h].
    settings : mapping, optional
        ``space`` of xi is ``"real"``, unless this says ``"redshift"``.

    Returns
    -------
    Measurement, Covariance
        Both have ``save``.

    Raises
    ------
    UsageError, BadValueError
        The shapes do not go together, or a number cannot be what it is given for.

    Examples
    --------
    >>> from mockgal.fitting.data import tabulated
    >>> edges, w_p, errors = [0.5, 1.0, 2.0], [80.0, 45.0], [4.0, 2.5]
    >>> data, covariance = tabulated("wp", edges, w_p, errors, pi_max=40.0)
    >>> data.save("sdss.ecsv"), covariance.save("sdss-covariance.ecsv")
    (None, None)
    """
    from ..statistics.galaxies.mass_function import stated_mass_function

    where = f"tabulated {statistic}"
    try:
        edges, values, matrix = (np.array(x, dtype=np.float64) for x in (edges, values, covariance))
    except (TypeError, ValueError) as why:
        raise UsageError(where, str(why), "arrays of numbers") from why
    if matrix.ndim == 1:
        if not np.all((matrix > 0) & np.isfinite(matrix)):
            raise BadValueError(where, f"the errors {shown(matrix.tolist())}", "errors above 0")
        matrix = np.diag(matrix**2)
    n = values.size if values.ndim == 1 else 0
    known = ("wp", "xi", MASS_FUNCTION)
    if statistic not in known or edges.shape != (n + 1,) or matrix.shape != (n, n):
        raise UsageError(
            where,
            f"edges of shape {edges.shape}, {n} values, a covariance of shape {matrix.shape}",
            f"one of {', '.join(known)}: n + 1 edges, n values, and a covariance of shape (n, n) "
            "or n errors",
        )
    _check_edges(where, edges, masses=statistic == MASS_FUNCTION)
    kind = STATISTICS[statistic]
    stated = {"errors": "stated", **(settings or {})}
    error = np.sqrt(np.diag(matrix))
    if statistic == MASS_FUNCTION:
        data = stated_mass_function(edges, values, error, stated)
    else:
        data = _stated_pairs(statistic, edges, values, error, stated, pi_max)
    return data, Covariance(
        statistic,
        np.repeat([kind.estimate], n),
        np.repeat([kind.unit], n),
        data.axis,
        kind.axis_unit,
        data[data.axis].astype(np.float64),
        values,
        matrix,
        number,
        "stated",
        None,
        dict(data.settings),
    )


def _check_edges(where: str, edges: Array, *, masses: bool) -> None:
    good = np.isfinite(edges).all() and np.all(np.diff(edges) > 0)
    if not good or edges[0] < 0 or (masses and edges[0] <= 0):
        found, expected = f"the edges {shown(edges.tolist())}", "finite numbers that increase"
        raise BadValueError(where, found, f"{expected}, above 0", "give those of the bins")
    if masses and edges[-1] < _LOGARITHMS:
        raise BadValueError(
            where,
            f"the edges {shown(edges.tolist())}",
            "stellar masses [Msun/h]",
            "if these are their logarithms, give 10**edges",
        )


def _stated_pairs(
    statistic: str, edges: Array, values: Array, error: Array, stated: dict[str, Any], pi_max: float
) -> Measurement:
    from ..statistics.pairs.correlation import Found, pairs_result
    from ..statistics.result import Field

    axis, dimensions = ("r_p", 2) if statistic == "wp" else ("r", 3)
    kind = STATISTICS[statistic]
    stated = stated | ({"pi_max_mpc_h": float(pi_max)} if statistic == "wp" else {})
    ones = np.ones(len(values), dtype=np.int64)
    found = Found(values[:, None], error[:, None], ones, math.inf, stated)
    what = {"wp": "projected correlation function", "xi": "correlation function"}[statistic]
    fields = {kind.estimate: Field(kind.unit, what)}
    return pairs_result(statistic, axis, edges, dimensions, fields, found)
