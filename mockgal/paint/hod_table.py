"""Calibration tables of the central/satellite HOD: what they hold, their file, and their domain.

A table is one ECSV file, two rows per host-mass bin (``kind`` central and satellite), described
column by column in docs/reference/hod-calibration.md. Masses are log10 of Msun/h.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptFileError, DomainError, InputError, MissingDatasetError, UsageError
from ..types import MASS_DEFINITIONS, Snapshot

FORMAT = "mockgal HOD calibration 1"
KINDS = ("central", "satellite")
SHIPPED = Path(__file__).with_name("calibrations")
_MAX_BYTES = 10_000_000

# name: (unit, meaning); vectors are one fixed length per table.
COLUMNS: dict[str, tuple[str, str]] = {
    "kind": ("", "central or satellite"),
    "log_host_mass_low": ("dex", "lower edge of the bin of hydro host mass [log10 Msun/h]"),
    "log_host_mass_high": ("dex", "upper edge of the bin [log10 Msun/h]"),
    "hosts_hydro": ("", "hosts with a resolved central, hydro run"),
    "hosts_dark": ("", "hosts with a resolved central, gravity-only run, by corrected mass"),
    "subhalos_hydro": ("", "resolved subhalos of this kind, hydro run"),
    "subhalos_dark": ("", "resolved subhalos of this kind, gravity-only run"),
    "luminous_hydro": ("", "subhalos of this kind above the luminosity floor, hydro run"),
    "number_hydro_mean": ("", "luminous subhalos of this kind per host, hydro run: mean"),
    "number_hydro_variance": ("", "the same: variance"),
    "number_dark_mean": ("", "resolved subhalos of this kind per host, gravity-only run: mean"),
    "number_dark_variance": ("", "the same: variance"),
    "curve_log_host_mass": ("dex", "node of the median curve: host mass [log10 Msun/h]"),
    "curve_log_stellar_mass": ("dex", "node of the median curve: stellar mass [log10 Msun/h]"),
    "residual_source": ("", "bin, or pooled where the bin has too few luminous subhalos"),
    "residual_quantiles": ("dex", "quantiles of log M* minus the median curve"),
    "luminous_log_mass_ratio": ("dex", "nodes of log10 (subhalo mass / host mass)"),
    "luminous_probability": ("", "luminous probability at those nodes, hydro run"),
    "thinning": ("", "factor on the probability that gives the hydro run's mean number"),
    "deficit": ("", "share of that number which the gravity-only subhalos are too few for"),
    "ratio_log_host_mass": ("dex", "node of the host-mass ratio: gravity-only mass [log10 Msun/h]"),
    "log_host_mass_ratio": ("dex", "log10 (M_hydro / M_dark) at that node"),
}
_VECTORS = ("residual_quantiles", "luminous_log_mass_ratio", "luminous_probability")
_TEXT = ("kind", "residual_source")
_OPTIONAL = ("ratio_log_host_mass", "log_host_mass_ratio")  # need a gravity-only twin
META: dict[str, tuple[type, str]] = {
    "name": (str, "what the table is called"),
    "mass_definition": (str, "of host masses: " + ", ".join(MASS_DEFINITIONS)),
    "stellar_mass_definition": (str, "which stars are counted"),
    "luminosity_floor": (float, "least stellar mass that counts as luminous [Msun/h]"),
    "least_particles": (int, "least gravity-only particles of a subhalo that is painted"),
    "particle_mass": (float, "of the gravity-only run [Msun/h]"),
    "residual_probability": (list, "probabilities of `residual_quantiles`"),
    "domain": (
        dict,
        "[low, high] of redshift, particle_mass [Msun/h], omega_m, h: where it is valid",
    ),
    "provenance": (
        dict,
        "runs and digests of their catalogues, methods, `references`, `summary`, and "
        "a `caution` that is shown whenever the table is used",
    ),
}


@dataclass(frozen=True)
class HODTable:
    """A calibration: rows as in the file, row ``k * bins + b`` for kind k and bin b.

    Parameters
    ----------
    columns : dict of str to ndarray
        `COLUMNS`; shape (2 * bins,) or (2 * bins, length).
    name : str
    mass_definition : str
        Of the host mass, key of `mockgal.types.MASS_DEFINITIONS`.
    stellar_mass_definition : str
    luminosity_floor : float
        Least stellar mass that counts as luminous [Msun/h].
    least_particles : int
        Least particles of a gravity-only subhalo that the table speaks of.
    particle_mass : float
        Of the gravity-only run [Msun/h].
    residual_probability : ndarray, shape (q,)
    domain : dict
        ``redshift``, ``particle_mass`` [Msun/h], ``omega_m``, ``h``: [low, high].
    provenance : dict
        Runs, digests of their catalogues, methods, references.
    """

    columns: dict[str, NDArray[Any]]
    name: str
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
            name: np.asarray(values, dtype=str if name in _TEXT else np.float64)
            for name, values in self.columns.items()
        }
        object.__setattr__(self, "columns", columns)
        problem = self._problem()
        if problem:
            raise CorruptFileError(
                f"HOD calibration {self.name}",
                problem,
                "what docs/reference/hod-calibration.md says",
                "make the table again",
            )

    def _problem(self) -> str:
        c, rows = self.columns, len(self.columns["kind"])
        bins, odd = divmod(rows, 2)
        if odd or rows == 0 or list(c["kind"]) != [k for k in KINDS for _ in range(bins)]:
            return "rows that are not all centrals, then all satellites"
        low, high = c["log_host_mass_low"], c["log_host_mass_high"]
        if not (
            np.array_equal(low[:bins], low[bins:])
            and np.array_equal(high[:bins], high[bins:])
            and np.array_equal(low[1:bins], high[: bins - 1])
            and np.all(low < high)
        ):
            return "host-mass bins that do not adjoin"
        probability = self.residual_probability
        if not (probability[0] == 0 and probability[-1] == 1 and np.all(np.diff(probability) > 0)):
            return "residual probabilities that do not grow from 0 to 1"
        if c["residual_quantiles"].shape != (rows, len(probability)):
            return "residual quantiles unlike their probabilities in number"
        if not np.all(np.diff(c["residual_quantiles"], axis=1) >= 0):
            return "residual quantiles that decrease"
        if not np.all(np.diff(c["luminous_log_mass_ratio"], axis=1) > 0):
            return "mass-ratio nodes that do not increase"
        p = c["luminous_probability"]
        if not np.all((p >= 0) & (p <= 1)) or not np.all(c["thinning"] >= 0):
            return "probabilities outside [0, 1]"
        if not np.all((c["deficit"] >= 0) & (c["deficit"] <= 1)):
            return "deficits outside [0, 1]"
        if self.mass_definition not in MASS_DEFINITIONS:
            return f"mass definition {self.mass_definition!r}"
        if not (self.luminosity_floor > 0 and self.particle_mass > 0 and self.least_particles > 0):
            return "a floor, particle mass or particle number that is not positive"
        for key in ("redshift", "particle_mass"):
            bounds = self.domain.get(key)
            if not (isinstance(bounds, list) and len(bounds) == 2 and bounds[0] <= bounds[1]):
                return f"domain {key} {bounds!r} that is not [low, high]"
        return ""

    @property
    def bins(self) -> int:
        """Number of host-mass bins."""
        return len(self.columns["kind"]) // 2

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the host-mass bins [log10 Msun/h], shape (bins + 1,)."""
        c = self.columns
        edges = np.append(c["log_host_mass_low"][: self.bins], c["log_host_mass_high"][-1])
        return edges.astype(np.float64)

    def median_log_stellar_mass(
        self, kind: int, log_host_mass: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The median curve: monotone cubic through its nodes, straight beyond them, shape (n,)."""
        rows = slice(kind * self.bins, (kind + 1) * self.bins)
        return median_curve(
            self.columns["curve_log_host_mass"][rows],
            self.columns["curve_log_stellar_mass"][rows],
            log_host_mass,
        )

    def log_mass_ratio(self, log_dark_mass: NDArray[np.float64]) -> NDArray[np.float64]:
        """log10 (M_hydro / M_dark) of hosts: straight between nodes, constant beyond, shape (n,).

        Raises
        ------
        MissingDatasetError
            The table was made without a gravity-only twin.
        """
        if "log_host_mass_ratio" not in self.columns:
            raise MissingDatasetError(
                f"HOD calibration {self.name}:log_host_mass_ratio",
                "no such column",
                "a host-mass ratio, measured on a hydrodynamic run and its gravity-only twin",
                "take a calibration made from a pair (`mockgal calibrations` lists them)",
            )
        x, y = self.columns["ratio_log_host_mass"], self.columns["log_host_mass_ratio"]
        known = np.isfinite(x) & np.isfinite(y)
        return np.asarray(np.interp(log_dark_mass, x[known], y[known]))

    @cached_property
    def digest(self) -> str:
        """BLAKE2b-256 of the table's content, whatever file it came from."""
        content = {name: values.tolist() for name, values in self.columns.items()}
        content |= {"residual_probability": self.residual_probability.tolist()}
        content |= {key: getattr(self, key) for key in META if key not in content}
        return hashlib.blake2b(
            json.dumps(content, sort_keys=True).encode(), digest_size=32
        ).hexdigest()

    def mismatch(self, snapshot: Snapshot, mass_definition: str) -> list[str]:
        """Why the table is not valid for a simulation; empty if it is."""
        reasons = []
        if mass_definition != self.mass_definition:
            reasons.append(f"host mass is {mass_definition}, not {self.mass_definition}")
        low, high = self.domain["redshift"]
        if not low <= snapshot.redshift <= high:
            reasons.append(f"redshift {snapshot.redshift:.4g} outside [{low:.4g}, {high:.4g}]")
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
        return reasons


def median_curve(
    x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Monotone cubic (PCHIP) through the nodes that are finite, straight lines beyond the ends.

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


def to_ecsv(table: HODTable) -> str:
    """The text of the table's file."""
    from astropy.table import Table

    out = Table({name: table.columns[name] for name in COLUMNS if name in table.columns})
    for name in out.colnames:
        unit, out[name].description = COLUMNS[name]
        out[name].unit = unit or None
    out.meta = {"format": FORMAT} | {
        key: (
            [float(x) for x in table.residual_probability]
            if key == "residual_probability"
            else getattr(table, key)
        )
        for key in META
    }
    text = io.StringIO()
    out.write(text, format="ascii.ecsv")
    return text.getvalue()


def read(path: Path) -> HODTable:
    """The table in an ECSV file.

    Raises
    ------
    InputError
        (or a subclass) The file cannot be read, lacks columns, or contradicts itself.
    """
    from astropy.table import Table

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(
                path,
                f"{path.stat().st_size} bytes",
                f"at most {_MAX_BYTES}",
                "give an HOD calibration table",
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            path,
            f"an unreadable file ({error})",
            "an ECSV calibration table",
            "give the path of one, or a name that `mockgal calibrations` lists",
        ) from error
    try:
        table = Table.read(text.splitlines(), format="ascii.ecsv")
    except Exception as error:  # astropy and PyYAML raise many kinds for bad text
        raise CorruptFileError(
            path,
            f"text that is not ECSV ({str(error).splitlines()[0]})",
            FORMAT,
            "make the table again",
        ) from error
    if table.meta.get("format") != FORMAT:
        raise CorruptFileError(
            path,
            f"format {table.meta.get('format')!r}",
            repr(FORMAT),
            "make the table again with this version of mockgal",
        )
    missing = [c for c in COLUMNS if c not in table.colnames and c not in _OPTIONAL]
    missing += [key for key in META if key not in table.meta]
    if missing:
        raise MissingDatasetError(
            path, f"no {', '.join(missing)}", "all of them", "make the table again"
        )
    columns: dict[str, NDArray[Any]] = {}
    try:
        for name in COLUMNS:
            if name in table.colnames:
                values = table[name]
                values = values.filled(np.nan) if hasattr(values, "filled") else values
                columns[name] = np.asarray(values)
                if columns[name].ndim != 1 + (name in _VECTORS):
                    raise ValueError(f"column {name} of shape {columns[name].shape}")
        meta = {key: kind(table.meta[key]) for key, (kind, _) in META.items()}
        meta["residual_probability"] = np.asarray(meta["residual_probability"], dtype=np.float64)
        return HODTable(columns=columns, **meta)
    except (TypeError, ValueError, AttributeError) as error:
        raise CorruptFileError(path, str(error), FORMAT, "make the table again") from error


def shipped() -> list[HODTable]:
    """The calibrations that come with the package, by name."""
    return [read(path) for path in sorted(SHIPPED.glob("*.ecsv"))]


def choose(
    snapshot: Snapshot, mass_definition: str, calibration: str | None, allow_extrapolation: bool
) -> HODTable:
    """The table named (or at the path) ``calibration``, or the shipped one valid for a simulation.

    Raises
    ------
    UsageError
        No such name.
    DomainError
        None is valid for the simulation; the message says why, table by table.
    """
    if calibration is not None:
        path = Path(calibration)
        if path.suffix == ".ecsv" or path.exists():
            tables = [read(path)]
        else:
            tables = [table for table in shipped() if table.name == calibration]
            if not tables:
                raise UsageError(
                    "--calibration",
                    repr(calibration),
                    "a path to an .ecsv file, or one of " + ", ".join(t.name for t in shipped()),
                )
    else:
        tables = shipped()
    reasons = {table.name: table.mismatch(snapshot, mass_definition) for table in tables}
    valid = [table for table in tables if not reasons[table.name]]
    if valid:
        return min(
            valid, key=lambda t: (abs(np.mean(t.domain["redshift"]) - snapshot.redshift), t.name)
        )
    if (
        calibration is not None
        and allow_extrapolation
        and (tables[0].mass_definition == mass_definition)
    ):
        return tables[0]
    raise DomainError(
        f"simulation {snapshot.name}",
        "no HOD calibration valid for it: "
        + "; ".join(f"{name} ({', '.join(why)})" for name, why in reasons.items()),
        "a calibration whose domain holds the simulation",
        "give --calibration FILE, or name one of these with --allow-extrapolation "
        "(a host-mass definition cannot be extrapolated: see --mass-definition)",
    )
