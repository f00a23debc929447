"""Calibration tables of the central/satellite HOD, and their range of validity.

There is one row per mass bin and ``kind``, central or satellite; `HODTable.binned_by` says which
mass. Masses are log10 of Msun/h. The columns are in `mockgal.painters.hod.columns`, the file format
in `mockgal.painters.hod.store`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...cosmology import LCDM
from ...errors import CorruptFileError, MissingDatasetError, shown
from ...types import MASS_DEFINITIONS, Scene
from .columns import (
    BINNED_BY,
    COLUMNS,
    CURVE,
    ERRORS,
    KINDS,
    MAY_BE_NAN,
    META,
    RATIO,
    SATELLITES,
    TEXT,
    TWIN,
    VECTORS,
    expected,
)

QUANTILES = (
    "residual_quantiles",
    "stellar_mass_quantiles",
    "satellite_log_mass_ratio",
    "satellite_radius",
)
COUNTS = (  # columns that are never negative
    *(n for n in COLUMNS if n.startswith(("number_", "resolved_", "hosts_", "subhalos_"))),
    *("luminous_hydro", "thinning", "paper_factor"),
    *("satellite_dispersion_index", "satellite_velocity_dispersion"),
)
COUNTS = tuple(name for name in COUNTS if name not in ERRORS)
SOURCES = ("bin", "pooled", "none")  # samples that columns of quantiles were measured on
FARTHEST = 100.0  # radii of a host
NEAR = 0.5  # dex
_CONSTANT = 0.05  # allowed difference of w0 and wa from a cosmological constant


@dataclass(frozen=True)
class HODTable:
    """A calibration, with rows as in the file: the centrals by mass, then the satellites by mass.

    Parameters
    ----------
    columns : dict of str to ndarray
        `COLUMNS`, without `OF_TWIN` if there was no gravity-only twin, without `SATELLITES` and
        `ERRORS` if these were not measured; shape (rows,) or (rows, length).
    name : str
    binned_by : dict
        For ``central`` and ``satellite``, a key of `BINNED_BY`.
    mass_definition : str
        Definition of the host mass, a key of `mockgal.types.MASS_DEFINITIONS`.
    stellar_mass_definition : str
    luminosity_floor : float
        Lowest stellar mass that counts as luminous [Msun/h].
    least_particles : int
        Fewest particles of a gravity-only subhalo that the table applies to.
    particle_mass : float
        Particle mass of the gravity-only run, or of one with as many particles [Msun/h].
    residual_probability : ndarray, shape (q,)
    domain : dict
        ``redshift``, ``particle_mass`` [Msun/h], ``omega_m``, ``h``: [low, high].
    provenance : dict
        Runs, digests of their catalogues, methods, references.
    """

    columns: dict[str, NDArray[Any]]
    name: str
    binned_by: dict[str, str]
    mass_definition: str
    stellar_mass_definition: str
    luminosity_floor: float
    least_particles: int
    particle_mass: float
    residual_probability: NDArray[np.float64]
    domain: dict[str, list[float]]
    provenance: dict[str, Any]

    def __post_init__(self) -> None:
        columns = {
            name: np.asarray(values, dtype=str if name in TEXT else np.float64)
            for name, values in self.columns.items()
        }
        probability = np.asarray(self.residual_probability, dtype=np.float64)
        for name, value in (("columns", columns), ("residual_probability", probability)):
            object.__setattr__(self, name, value)
        for name in ("luminosity_floor", "particle_mass"):
            object.__setattr__(self, name, float(getattr(self, name)))
        least: Any = self.least_particles
        if isinstance(least, np.integer):
            object.__setattr__(self, "least_particles", int(least))
        problem = self._meta_problem() or self._columns_problem()
        if problem:
            raise CorruptFileError(
                f"HOD calibration {self.name}",
                problem,
                "a table as in docs/reference/hod-calibration.md",
                "make the table again",
            )

    def _columns_problem(self) -> str:
        c = self.columns
        missing = [name for name in expected(c) if name not in c]
        if missing:
            return f"no column {', '.join(missing)}"
        rows, q = len(c["kind"]), len(self.residual_probability)
        parts = [self.rows(kind) for kind in range(len(KINDS))]
        kinds = [
            k for k, part in zip(KINDS, parts, strict=True) for _ in range(*part.indices(rows))
        ]
        if len(set(kinds)) < len(KINDS) or list(c["kind"]) != kinds:
            return "rows that are not all centrals, then all satellites"
        for name, values in c.items():
            if values.ndim != 1 + (name in VECTORS) or len(values) != rows:
                return f"column {name} of shape {values.shape}"
            if name not in (*TEXT, *MAY_BE_NAN) and not np.all(np.isfinite(values)):
                return f"column {name} with values that are not finite"
        for part in parts:
            low, high = c["log_mass_low"][part], c["log_mass_high"][part]
            if not (np.array_equal(low[1:], high[:-1]) and np.all(low < high)):
                return "mass bins that do not adjoin"
        for name in QUANTILES:
            if name in c and c[name].shape != (rows, q):
                return f"{name} that are not one per probability"
            if name in c and not np.all(np.diff(c[name], axis=1) >= 0):
                return f"{name} that decrease"
        if not np.all(np.diff(c["luminous_log_mass"], axis=1) > 0):
            return "mass nodes of the luminous probability that do not increase"
        if c["luminous_probability"].shape != c["luminous_log_mass"].shape:
            return "luminous probabilities that are not one per mass node"
        for name in ("luminous_probability", "deficit"):
            if name in c and not np.all((c[name] >= 0) & (c[name] <= 1)):
                return f"column {name} outside [0, 1]"
        for name in COUNTS:
            if name in c and not np.all(c[name] >= 0):
                return f"negative numbers in column {name}"
        curves = [(CURVE, part) for part in parts]
        for pair, part in curves + ([(RATIO, slice(0, rows))] if self.has_twin else []):
            x, y = (c[name][part] for name in pair)
            known = np.isfinite(x)
            if not np.array_equal(known, np.isfinite(y)) or not np.all(np.diff(x[known]) > 0):
                return f"nodes of {pair[1]} that do not increase in mass"
            if pair is RATIO and not np.any(known):
                return "a host-mass ratio without nodes"
            if pair is RATIO and not np.all(np.diff((x + y)[known]) > 0):
                return "a host-mass ratio that would make heavier hosts the lighter ones"
        return self._satellites_problem()

    def _satellites_problem(self) -> str:
        """Return what would make `mockgal.populate` fail, or an empty text."""
        c = self.columns
        for name in TEXT[1:]:
            if name in c and not set(c[name]) <= set(SOURCES):
                return f"column {name} with values other than {', '.join(SOURCES)}"
        for kind in range(len(KINDS)):
            rows = self.rows(kind)
            mean = c["log_mean_mass"][rows]
            edges = self.edges(kind)  # of corrected masses, which differ a little from those read
            inside = (mean >= edges[:-1] - NEAR) & (mean <= edges[1:] + NEAR)
            known = np.isfinite(mean)
            if not np.all(inside[known]) or not np.all(np.diff(mean[known]) > 0):
                return "mean masses far from their bins, or that do not increase"
            counts = c["hosts_dark" if self.has_twin else "hosts_hydro"][rows]
            if not np.array_equal(np.isnan(mean), counts == 0):
                return "a mean mass for a bin without hosts, or none for a bin with hosts"
        if self.has_satellites and not (
            np.all(c["satellite_radius"] >= 0) and np.all(c["satellite_radius"] < FARTHEST)
        ):
            return f"satellites at negative distances, or beyond {FARTHEST:g} radii of their host"
        if self.has_satellites and not np.all(np.abs(c["satellite_log_mass_ratio"]) <= 2.0):
            return "masses of satellites far from those of their hosts"
        return ""

    def _meta_problem(self) -> str:
        probability = self.residual_probability
        if not (
            len(probability) > 1
            and probability[0] == 0
            and probability[-1] == 1
            and np.all(np.diff(probability) > 0)
        ):
            return "residual probabilities that do not grow from 0 to 1"
        by = self.binned_by
        whole = isinstance(self.least_particles, int)
        if not whole or isinstance(self.least_particles, bool):
            return f"least_particles {shown(self.least_particles)}, not a whole number"
        if set(by) != set(KINDS) or any(by[kind] not in BINNED_BY[kind] for kind in KINDS):
            return f"rows binned by {shown(by)}"
        if self.mass_definition not in MASS_DEFINITIONS:
            return f"mass definition {shown(self.mass_definition)}"
        for name in ("luminosity_floor", "particle_mass", "least_particles"):
            if not 0 < getattr(self, name) < np.inf:
                return f"{name} {getattr(self, name)}, not a positive number"
        for key in ("redshift", "particle_mass"):
            if key not in self.domain:
                return f"a domain without {key}"
        for key, bounds in self.domain.items():
            numbers = isinstance(bounds, list) and len(bounds) == 2
            if not (
                numbers
                and all(isinstance(x, int | float) for x in bounds)
                and bounds[0] <= bounds[1]
            ):
                return f"domain {key} {shown(bounds)} that is not [low, high]"
        references = self.provenance.get("references", [])
        if not (isinstance(references, list) and all(isinstance(x, str) for x in references)):
            return f"references {shown(references)} that are not a list of citations"
        for key in ("summary", "caution"):
            if not isinstance(self.provenance.get(key, ""), str):
                return f"a {key} that is not text"
        try:
            json.dumps([self.domain, self.provenance], allow_nan=False)
        except (TypeError, ValueError) as error:
            return f"provenance that is not plain text, numbers and lists ({error})"
        return ""

    @property
    def has_twin(self) -> bool:
        """Whether the table was made with a gravity-only twin, and can correct for baryons."""
        return TWIN[0] in self.columns

    @property
    def corrects_masses(self) -> bool:
        """Whether it corrects host masses for baryons; not for galaxies on the same subhalos."""
        return self.has_twin and bool(np.any(self.host_mass_ratio[1]))

    @property
    def has_satellites(self) -> bool:
        """Whether the table has masses and positions of the satellites of a host."""
        return SATELLITES[0] in self.columns

    @property
    def least_mass(self) -> float:
        """Lowest mass of a subhalo that is resolved in the gravity-only run [Msun/h].

        Half a particle of slack absorbs the rounding of single-precision mass sums.
        """
        return (self.least_particles - 0.5) * self.particle_mass

    def rows(self, kind: int) -> slice:
        """Return the rows of centrals (0) or satellites (1)."""
        centrals = int(np.sum(self.columns["kind"] == KINDS[0]))
        return slice(0, centrals) if kind == 0 else slice(centrals, len(self.columns["kind"]))

    def edges(self, kind: int) -> NDArray[np.float64]:
        """Return the edges of a kind's mass bins [log10 Msun/h], shape (bins + 1,)."""
        c, rows = self.columns, self.rows(kind)
        return np.append(c["log_mass_low"][rows], c["log_mass_high"][rows][-1:])

    def mass_of(self, kind: int) -> str:
        """Return in words the mass that the rows of a kind are binned by."""
        by = self.binned_by[KINDS[kind]]
        definition = f" ({self.mass_definition})" if by == "host" else ""
        return BINNED_BY[KINDS[kind]][by] + definition

    def median_log_stellar_mass(
        self, kind: int, log_mass: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the median curve, shape (n,): monotone cubic through its nodes, linear beyond."""
        rows = self.rows(kind)
        x, y = (self.columns[name][rows] for name in CURVE)
        return median_curve(x, y, log_mass)

    def log_mass_ratio(self, log_dark_mass: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return log10 (M_hydro / M_dark) of hosts, linear between nodes, constant beyond, (n,).

        Raises
        ------
        MissingDatasetError
            The table was made without a gravity-only twin.
        """
        if not self.has_twin:
            self.refuse_missing_twin()
        return np.asarray(np.interp(log_dark_mass, *self.host_mass_ratio))

    @property
    def host_mass_ratio(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nodes of the host-mass ratio: log10 of the gravity-only mass, and log10 of the ratio."""
        x, y = (self.columns[name] for name in RATIO)
        known = np.isfinite(x) & np.isfinite(y)
        return x[known], y[known]

    def edges_as_read(self, kind: int) -> NDArray[np.float64]:
        """Return the edges of a kind's bins by host mass, in masses as they are read [Msun/h].

        Their corrected masses are `edges`. The ratio is linear between nodes, and so is its
        inverse.
        """
        log_edges = self.edges(kind)
        if not self.has_twin:
            return np.asarray(10.0**log_edges)
        x, ratio = self.host_mass_ratio
        corrected = x + ratio
        shift = np.interp(log_edges, corrected, ratio)
        return np.asarray(10.0 ** (log_edges - shift))

    def refuse_missing_twin(self) -> NoReturn:
        """Raise the error that the table has no corrections for baryons, with the ways out."""
        raise MissingDatasetError(
            f"HOD calibration {self.name}",
            f"no {', '.join(TWIN)}: it was made without a gravity-only twin",
            "the corrections for baryons, measured on a hydrodynamic run and its twin",
            "take a calibration made from a pair (`mockgal calibrations` lists them), or ask for "
            "painting without corrections: --missing-twin uncorrected",
        )

    @cached_property
    def digest(self) -> str:
        """BLAKE2b-256 of the table's content, whatever file it came from."""
        content = {name: values.tolist() for name, values in self.columns.items()}
        content |= {"residual_probability": self.residual_probability.tolist()}
        content |= {key: getattr(self, key) for key in META if key not in content}
        return hashlib.blake2b(
            json.dumps(content, sort_keys=True).encode(), digest_size=32
        ).hexdigest()

    def mismatch(self, scene: Scene) -> list[str]:
        """Return the reasons why the table is not valid for a simulation; empty if it is."""
        snapshot, mass_definition = scene.snapshot, scene.halos.mass_definition
        reasons = []
        if mass_definition != self.mass_definition:
            reasons.append(f"host mass is {mass_definition}, not {self.mass_definition}")
        if "stellar_mass" in scene.halos:
            reasons.append("the run is hydrodynamic, and its masses need no correction for baryons")
        low, high = self.domain["redshift"]
        first, last = snapshot.redshifts
        if not low <= first <= last <= high:
            here = f"{first:.4g}" + f" to {last:.4g}" * (first != last)
            reasons.append(f"redshift {here} outside [{low:.4g}, {high:.4g}]")
        low, high = self.domain["particle_mass"]
        if snapshot.particle_mass is None:
            reasons.append("the particle mass is unknown")
        elif not low <= snapshot.particle_mass <= high:
            reasons.append(
                f"particle mass {snapshot.particle_mass:.4g} Msun/h outside [{low:.4g}, {high:.4g}]"
            )
        for key in ("omega_m", "h"):
            value, bounds = getattr(snapshot.cosmology, key), self.domain.get(key)
            if bounds and not bounds[0] <= value <= bounds[1]:
                reasons.append(f"{key} {value:.4g} outside [{bounds[0]:.4g}, {bounds[1]:.4g}]")
        for key, constant in LCDM.items():
            value = getattr(snapshot.cosmology, key)
            if value is not None and not abs(value - constant) <= _CONSTANT:
                reasons.append(f"{key} {value:.4g}, not {constant:g} within {_CONSTANT:g}")
        return reasons


def median_curve(
    x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a monotone cubic (PCHIP) through the finite nodes, with straight lines beyond them.

    Parameters
    ----------
    x, y : ndarray, shape (bins,)
        Nodes, NaN where a bin has none.
    at : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
        NaN everywhere if there is no node; constant if there is one.
    """
    from scipy.interpolate import PchipInterpolator

    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) == 0:
        return np.full(at.shape, np.nan)
    if len(x) == 1:
        return np.full(at.shape, y[0])
    inside = PchipInterpolator(x, y)(np.clip(at, x[0], x[-1]))
    first, last = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    beyond = first * np.minimum(at - x[0], 0) + last * np.maximum(at - x[-1], 0)
    return np.asarray(inside + beyond)


LEAST_SCALE = 0.1  # dex


def mass_scale(log_host_mass: NDArray[np.float64], log_least: float) -> NDArray[np.float64]:
    """Return the unit of satellites' log masses: how far the host is above the resolution [dex].

    In this unit satellites of light and of heavy hosts have the same range, and can be pooled.

    Parameters
    ----------
    log_host_mass : ndarray, shape (n,)
    log_least : float
        log10 of the least mass of a resolved subhalo [Msun/h].
    """
    return np.maximum(log_host_mass - log_least, LEAST_SCALE)


def mean_number(
    log_mean_mass: NDArray[np.float64],
    number: NDArray[np.float64],
    mass: NDArray[np.float64],
    interp: Callable[..., NDArray[np.float64]] = np.interp,
) -> NDArray[np.float64]:
    """Return the mean number of satellites: linear in host mass between bins and down to zero.

    A number proportional to the mass has the right mean in every bin, whatever its width.

    Parameters
    ----------
    log_mean_mass, number : ndarray, shape (bins,)
        log10 of the mean host mass and mean number in each bin; NaN masses are bins without hosts.
    mass : ndarray, shape (n,)
        Host masses, of the same kind as ``log_mean_mass`` [Msun/h].
    interp : callable
        `numpy.interp`, or a function that does the same.

    Returns
    -------
    ndarray, shape (n,)
        Proportional to the mass beyond the last bin.
    """
    known = np.isfinite(log_mean_mass)
    if not np.any(known):
        return np.zeros(mass.shape)
    x, y = 10.0 ** log_mean_mass[known], number[known]
    inside = interp(mass, np.append(0.0, x), np.append(0.0, y))
    beyond = np.flatnonzero(mass > x[-1])
    inside[beyond] = y[-1] / x[-1] * mass[beyond]
    return inside
