"""Number density by redshift: that of galaxies, of their randoms, and the one asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...survey.number_density import NumberDensity, volumes
from ...survey.sky import directions
from ...survey.steps import STEPS, check_sky, redshift_column
from ...types import GalaxyCatalog
from ..result import Field, Measurement, Style
from . import geometry
from .sample import SkySample

Array = NDArray[Any]

PER = ("volume", "area")
POISSON = "Poisson: root of the sum of squared weights, of one galaxy in empty bins"
_UNITS = {"volume": "littleh3 / Mpc3", "area": "1 / deg2"}
_LABELS = {
    "volume": r"$n(z)$ [$h^3\,{\rm Mpc}^{-3}$]",
    "area": r"${\rm d}N\,/\,({\rm d}z\,{\rm d}\Omega)$ [deg$^{-2}$]",
}
_MEANINGS = {
    "volume": "galaxies per comoving volume",
    "area": "galaxies per area and unit of redshift",
}
_FEWEST, _MOST = 4, 40  # bins
_WEIGHTS = ("weight", "weight_close_pairs")  # the first that there is
_FOR_AREA = 1_000_000  # points


def number_density(
    galaxies: GalaxyCatalog,
    *,
    randoms: GalaxyCatalog | None = None,
    asked: NumberDensity | None = None,
    edges: Array | None = None,
    per: str = "volume",
    redshifts: str | None = None,
) -> Measurement:
    """Measure the number density of galaxies on the sky by redshift, n(z).

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky. Each counts with its ``weight``, or else ``weight_close_pairs``, or else 1.
    randoms : GalaxyCatalog, optional
        Of the same survey; scaled to the weight of the galaxies within the bins.
    asked : NumberDensity, optional
        The density that was asked for; by default the one in the record of the galaxies.
    edges : ndarray of float, shape (n + 1,), optional
        Of the bins in redshift; by default parts of the recorded bins, or up to 40 equal ones.
    per : str
        ``"volume"`` [h^3 Mpc^-3], comoving, or ``"area"``, for each unit of redshift [deg^-2].
    redshifts : str, optional
        Column of the redshifts; by default those that the survey sees.

    Returns
    -------
    Measurement
        ``redshift`` with the edges of the bin, ``n_of_z``, its error, ``galaxies``; and
        ``n_of_z_of_randoms``, ``n_of_z_asked_for`` where they are known.

    Raises
    ------
    UsageError
        The galaxies are in a box, or an option is not allowed.

    Examples
    --------
    >>> from mockgal.statistics.sky.number_density import number_density
    >>> from mockgal.survey.light_cone import light_cone
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.004))
    >>> found = number_density(cone, edges=np.array([0.002, 0.003, 0.004]))
    >>> int(found["galaxies"].sum()) <= len(cone), found.fields["n_of_z"].unit
    (True, 'littleh3 / Mpc3')
    """
    check_sky(galaxies, "n(z)")
    if per not in PER:
        raise UsageError("n(z) per", repr(per), "one of " + ", ".join(PER))
    column = redshifts or redshift_column(galaxies)
    z = galaxies[column]
    bins = _edges(galaxies, z) if edges is None else np.asarray(edges, dtype=np.float64)
    name, weight = _weight(galaxies)
    area, area_from = _area(galaxies, randoms)
    volume = volumes(galaxies, bins, area)
    size = volume if per == "volume" else area * np.diff(bins)
    counts, sums, squares = _binned(z, weight, bins)
    columns: dict[str, Array] = {
        "redshift": (bins[1:] + bins[:-1]) / 2.0,
        "redshift_low": bins[:-1],
        "redshift_high": bins[1:],
        "n_of_z": sums / size,
        "n_of_z_error": np.sqrt(np.where(counts > 0, squares, 1.0)) / size,
        "galaxies": counts,
    }
    usable = np.isfinite(z) & (z > 0.0)
    settings: dict[str, Any] = {
        "errors": POISSON,
        "area_deg2": area,
        "area_from": area_from,
        "volume_mpc3_h3": float(volume.sum()),
        "redshift_column": column,
        "weights": name or "none",
        "without_a_redshift_above_0": int(np.count_nonzero(~usable)),
        "beyond_the_bins": int(np.count_nonzero(usable)) - int(counts.sum()),
    }
    lines = []
    if randoms is not None and len(randoms):
        own, w = randoms[column if column in randoms else "redshift"], _weight(randoms, name)[1]
        _, of_randoms, _ = _binned(own, w, bins)
        scale = sums.sum() / of_randoms.sum() if of_randoms.sum() > 0 else 0.0
        columns["n_of_z_of_randoms"] = of_randoms * scale / size
        settings |= {"random_points": len(randoms), "scale_of_randoms": float(scale)}
        lines.append("n_of_z_of_randoms")
    target = asked_for(galaxies) if asked is None else asked
    if target is not None:
        columns["n_of_z_asked_for"] = _expected(galaxies, target, bins, area) / size
        lines = ["n_of_z_asked_for"]  # one line: two of them look alike
    unit, meaning = _UNITS[per], _MEANINGS[per]
    edge = "observed redshift, {} of the bin"
    fields = {
        "redshift": Field("", edge.format("middle"), "redshift"),
        "redshift_low": Field("", edge.format("lower edge")),
        "redshift_high": Field("", edge.format("upper edge")),
        "n_of_z": Field(unit, meaning, _LABELS[per]),
        "n_of_z_error": Field(unit, "standard error of n_of_z"),
        "galaxies": Field("", "galaxies in the bin"),
        "n_of_z_of_randoms": Field(unit, "that of the randoms, scaled", "randoms, scaled"),
        "n_of_z_asked_for": Field(unit, "that which was asked for", "asked for"),
    }
    return Measurement(
        "n_of_z",
        columns,
        {key: fields[key] for key in columns},
        axis="redshift",
        estimates=("n_of_z",),
        count="galaxies",
        settings=settings,
        style=Style(log_x=False, log_y=False, lines=tuple(lines)),
    )


def asked_for(galaxies: GalaxyCatalog) -> NumberDensity | None:
    """Return the number density that the record says was asked for; None if it says none."""
    step = _step(galaxies)
    if step is None or "asked_h3_mpc3" not in step:
        return None
    return NumberDensity(np.array(step["edges"]), np.array(step["asked_h3_mpc3"]))


def _step(galaxies: GalaxyCatalog) -> Any:
    """Return the record of the step n(z), or None."""
    steps = [one for one in galaxies.provenance.get(STEPS, []) if one.get("step") == "n(z)"]
    return steps[-1] if steps else None


def _edges(galaxies: GalaxyCatalog, redshift: Array) -> Array:
    """Return edges of bins: parts of the recorded ones, or equal ones within the light cone."""
    wanted = int(np.clip(round(np.sqrt(len(redshift)) / 1.5), _FEWEST, _MOST))
    step = _step(galaxies)
    if step is not None:
        edges = np.array(step["edges"], dtype=np.float64)
        parts = np.maximum(1, np.round(wanted * np.diff(edges) / np.ptp(edges))).astype(int)
        inner = [
            np.linspace(low, high, n, endpoint=False)
            for low, high, n in zip(edges[:-1], edges[1:], parts, strict=True)
        ]
        return np.append(np.concatenate(inner), edges[-1])
    there = redshift[np.isfinite(redshift) & (redshift > 0.0)]
    low, high = galaxies.snapshot.redshifts
    if len(there):
        low = max(low, float(there.min()))
        high = min(high, float(np.nextafter(there.max(), np.inf)))
    if not high > low:
        low, high = max(0.0, low * 0.99), low * 1.01 + 1e-6
    return np.linspace(low, high, wanted + 1)


def _weight(catalogue: GalaxyCatalog, name: str | None = None) -> tuple[str, Array | None]:
    """Return the column of the weights that count galaxies, and the weights; "" and None for 1."""
    names = _WEIGHTS if name is None else (name,)
    known = [one for one in names if one in catalogue]
    return (known[0], catalogue[known[0]]) if known else ("", None)


def _binned(redshift: Array, weight: Array | None, edges: Array) -> tuple[Array, Array, Array]:
    """Return numbers, sums of weights and of their squares in bins."""
    bins = np.searchsorted(edges, redshift, side="right") - 1
    inside = np.flatnonzero((bins >= 0) & (bins < len(edges) - 1))
    bins, number = bins[inside], len(edges) - 1
    counts = np.bincount(bins, minlength=number)
    if weight is None:
        return counts, counts.astype(np.float64), counts.astype(np.float64)
    own = np.asarray(weight, dtype=np.float64)[inside]
    sums, squares = (np.bincount(bins, own**power, minlength=number) for power in (1, 2))
    return counts, sums, squares


def _expected(galaxies: GalaxyCatalog, target: NumberDensity, edges: Array, area: float) -> Array:
    """Return the number of galaxies in bins that a density gives."""
    every = np.unique(np.concatenate([edges, target.edges]))
    every = every[(every >= edges[0]) & (every <= edges[-1])]
    number = target.at((every[1:] + every[:-1]) / 2.0) * volumes(galaxies, every, area)
    bins = np.searchsorted(edges, every[:-1], side="right") - 1
    return np.bincount(bins, number, minlength=len(edges) - 1)


def _area(galaxies: GalaxyCatalog, randoms: GalaxyCatalog | None) -> tuple[float, str]:
    """Return the area of a survey [deg^2], and where it is from: see `geometry.area_of`."""
    held = galaxies if randoms is None or not len(randoms) else randoms
    step = -(-len(held) // _FOR_AREA) or 1
    unit = directions(held["ra"][::step], held["dec"][::step])
    one, zero = np.ones(len(unit)), np.zeros(len(unit), dtype=np.int64)
    points = SkySample(unit, one, one, one, zero)
    area, area_from = geometry.area_of(galaxies, held, points)
    if held is galaxies:
        area_from = area_from.replace("that hold randoms", "that hold galaxies")
    return area, area_from
