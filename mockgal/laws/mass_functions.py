"""Stellar-mass functions to match abundances to: published ones by name, and tables of one's own.

Surveys state masses and densities for their own h. Stellar masses are measured from light, so they
scale with the square of the distance, and densities with its inverse cube: M h^2 and n / h^3 do not
depend on h. In a run with another h they become M h_survey^2 / h_run in Msun/h, and n / h_survey^3
in h^3/Mpc^3.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, FormatError, UsageError, shown
from ..system.files.plain_text import read_text

Array = NDArray[Any]
EXTENSION, MEASURED = ".txt", ".ecsv"

_MOST = 10_000_000  # bytes of a table
_STEEPEST_TAIL = -2.0  # least steep slope of log density beyond a table's last mass
_END = 3  # points that give the slope at an end of a table
_EXPECTED = "a text table of stellar mass and number density"
_FACTS = ("stellar mass", "density", "h", "redshift", "imf", "source", "columns")
_NEEDED = ("stellar mass", "density", "redshift", "imf")
_EXAMPLE = """# stellar mass: log10 Msun
# density: 1/Mpc^3/dex
# h: 0.7
# redshift: 0 to 0.06
# IMF: Chabrier
# source: who measured it"""
_MASS_UNITS = {"Msun": 0, "Msun/h": 1, "Msun/h^2": 2}  # powers of h in the denominator
_DENSITY_UNITS = {"1/Mpc^3/dex": 0, "h^3/Mpc^3/dex": 3}
_COLUMNS = ("stellar_mass", "density", "satellite_fraction")


@dataclass(frozen=True)
class MassFunction:
    """A stellar-mass function, in the units of its survey.

    Parameters
    ----------
    name, reference, imf : str
        What it is called, who measured it, and the initial mass function of its stellar masses.
    h : float
        Of the survey's masses and densities.
    redshift : tuple of float
        Lowest and highest redshift that it holds for.
    log_mass : tuple of float
        Range that it was measured in: log10 of stellar mass [Msun].
    log_density : callable
        ``log_density(log_mass, redshift)``: log10 of the number density [1/Mpc^3/dex].
    satellite_fraction : callable or None
        Share of satellites at log10 of stellar mass [Msun], if it is known.
    digest : str
        SHA-256 of the file; "" for a published one.
    """

    name: str
    reference: str
    imf: str
    h: float
    redshift: tuple[float, float]
    log_mass: tuple[float, float]
    log_density: Callable[[Array, float], Array]
    satellite_fraction: Callable[[Array], Array] | None = None
    digest: str = ""

    def shift(self, h: float) -> float:
        """Return what turns log10 of stellar mass [Msun] into log10 of Msun/h in a run with h."""
        return 2.0 * math.log10(self.h) - math.log10(h)

    def in_run(self, log_mass: Array, redshift: float, h: float) -> Array:
        """Return the number density [h^3/Mpc^3/dex] at log10 of stellar mass [Msun/h], shape (n,).

        Parameters
        ----------
        log_mass : ndarray, shape (n,)
        redshift : float
            Of the run; beyond the range of the function, its end of the range counts.
        h : float
            Of the run.
        """
        redshift = min(max(redshift, self.redshift[0]), self.redshift[1])
        with np.errstate(under="ignore"):
            value = self.log_density(np.asarray(log_mass) - self.shift(h), redshift)
            return np.asarray(10.0**value) / self.h**3

    def fraction_in_run(self, log_mass: Array, h: float) -> Array | None:
        """Return the share of satellites at log10 of stellar mass [Msun/h], None if not known."""
        if self.satellite_fraction is None:
            return None
        return self.satellite_fraction(np.asarray(log_mass) - self.shift(h))

    def describe(self) -> dict[str, Any]:
        """Return what the provenance records: plain JSON values."""
        return {
            "name": self.name,
            "reference": self.reference,
            "imf": self.imf,
            "h": self.h,
            "redshift_range": list(self.redshift),
            "log10_stellar_mass_range_msun": list(self.log_mass),
            **({"sha256": self.digest} if self.digest else {}),
        }


def schechter(log_mass: Array, log_knee: float, *terms: tuple[float, float]) -> Array:
    """Return log10 of a sum of Schechter functions per dex with one knee, shape (n,).

    Parameters
    ----------
    log_mass : ndarray, shape (n,)
    log_knee : float
        log10 of the mass at the knee, in the unit of ``log_mass``.
    *terms : tuple of float
        Normalisation and slope alpha of each term.
    """
    apart = np.asarray(log_mass) - log_knee
    total = sum(norm * 10.0 ** (apart * (alpha + 1.0)) for norm, alpha in terms)
    return np.asarray(np.log10(math.log(10.0) * total) - 10.0**apart * math.log10(math.e))


def _baldry2012(log_mass: Array, redshift: float) -> Array:
    del redshift
    return schechter(log_mass, 10.66, (3.96e-3, -0.35), (0.79e-3, -1.47))


def _li_white2009(log_mass: Array, redshift: float) -> Array:
    """Return three Schechter functions, each in its range of mass (table 1)."""
    del redshift
    parts = (
        (9.33, 9.6124, 0.01465, -1.1309),
        (10.67, 10.3702, 0.01327, -0.9004),
        (math.inf, 10.7104, 0.0044, -1.9918),
    )
    x = np.asarray(log_mass)
    values = [schechter(x, knee, (norm, alpha)) for _, knee, norm, alpha in parts]
    return np.where(x <= parts[0][0], values[0], np.where(x <= parts[1][0], *values[1:]))


def _leja2020(log_mass: Array, redshift: float) -> Array:
    """Return the continuity model: parabolas in redshift through three nodes (appendix B)."""
    nodes = np.array([0.2, 1.6, 3.0])

    def at(*values: float) -> float:
        return float(np.polyval(np.polyfit(nodes, values, 2), redshift))

    terms = (
        (10.0 ** at(-2.44, -3.08, -4.14), -0.28),
        (10.0 ** at(-2.89, -3.29, -3.51), -1.48),
    )
    return schechter(log_mass, at(10.79, 10.88, 10.84), *terms)


PUBLISHED = {
    one.name: one
    for one in (
        MassFunction(
            "baldry2012",
            "Baldry et al. 2012, arXiv:1111.5707 (GAMA), double Schechter function",
            "Chabrier",
            0.7,
            (0.0, 0.06),
            (8.0, 11.6),
            _baldry2012,
        ),
        MassFunction(
            "li_white2009",
            "Li & White 2009, arXiv:0901.0706 (SDSS), table 1",
            "Chabrier",
            1.0,
            (0.0, 0.2),
            (8.0, 11.7),
            _li_white2009,
        ),
        MassFunction(
            "leja2020",
            "Leja et al. 2020, arXiv:1910.04168 (3D-HST, COSMOS-2015), appendix B",
            "Chabrier",
            0.693,
            (0.2, 3.0),
            (9.0, 11.7),
            _leja2020,
        ),
    )
}


def mass_function(given: str | os.PathLike[str]) -> MassFunction:
    """Return a published mass function by its name, or the one in a table.

    The table is text that states its units, or what `mockgal measure` wrote (``.ecsv``).

    Raises
    ------
    UsageError
        There is none of that name.
    FormatError, BadValueError, InputError
        See `read_mass_function`, and `mockgal.laws.measured.measured_mass_function`.
    """
    from .measured import measured_mass_function

    if isinstance(given, str) and given in PUBLISHED:
        return PUBLISHED[given]
    if os.fspath(given).endswith(MEASURED):
        return measured_mass_function(Path(given))
    if isinstance(given, str) and not os.path.dirname(given) and not given.endswith(EXTENSION):
        raise UsageError(
            "--mass-function",
            shown(given),
            f"one of {', '.join(PUBLISHED)}, a table {EXTENSION}, or one of `mockgal measure`, "
            f"{MEASURED}",
            f"give the path of your own table as ./NAME or NAME{EXTENSION}",
        )
    return read_mass_function(Path(given))


def read_mass_function(path: Path) -> MassFunction:
    """Return the mass function in a text table that states its units.

    Lines of numbers have the stellar mass and the number density. Comments above them, such as
    ``# stellar mass: log10 Msun``, state units, h, the range in redshift and the initial mass
    function. ``# columns: stellar_mass density - satellite_fraction`` says what is in the columns
    if it is not the first two.

    Raises
    ------
    FormatError
        Facts are missing, or a line is not of numbers.
    BadValueError
        Masses that do not increase, or densities that are not positive.
    InputError, UnsafeInputError
        The file cannot be read, or is absurdly large.
    """
    text = read_text(path, _MOST, _EXPECTED, fix="give the path of a table")
    facts, rows = _lines(path, text)
    h, log_mass, log_density, place = _in_survey_units(path, facts, rows)
    if len(rows) < _END or (np.diff(log_mass) <= 0).any():
        raise BadValueError(
            path,
            f"{len(rows)} stellar masses, not all increasing" if len(rows) else "no rows",
            f"{_END} or more, each larger than the last",
            "sort the lines by stellar mass",
        )
    fraction = None
    if "satellite_fraction" in place:
        values = rows[:, place["satellite_fraction"]]
        if not ((values >= 0) & (values < 1)).all():
            raise BadValueError(
                path,
                f"a share of satellites of {values[(values < 0) | (values >= 1)][0]:g}",
                "0 or more, and less than 1",
                "correct it",
            )
        fraction = _Interpolated(log_mass, values)
    return MassFunction(
        path.name,
        facts.get("source", "table of the user"),
        facts["imf"],
        h,
        _redshifts(path, facts["redshift"]),
        (float(log_mass[0]), float(log_mass[-1])),
        Table(log_mass, log_density),
        fraction,
        hashlib.sha256(text.encode()).hexdigest(),
    )


class _Interpolated:
    """A quantity of a table, constant beyond its ends."""

    def __init__(self, log_mass: Array, values: Array) -> None:
        self.log_mass, self.values = log_mass, values

    def __call__(self, log_mass: Array) -> Array:
        return np.asarray(np.interp(log_mass, self.log_mass, self.values))


class Table:
    """log10 of the density, linear between the entries and beyond them with the slope of an end."""

    def __init__(self, log_mass: Array, log_density: Array) -> None:
        self.log_mass, self.log_density = log_mass, log_density
        first, last = slice(0, _END), slice(-_END, None)
        self.low = float(np.polyfit(log_mass[first], log_density[first], 1)[0])
        self.high = min(float(np.polyfit(log_mass[last], log_density[last], 1)[0]), _STEEPEST_TAIL)

    def __call__(self, log_mass: Array, redshift: float) -> Array:
        """Return log10 of the density at log10 of mass, shape (n,), at any redshift."""
        del redshift
        x = np.asarray(log_mass)
        inside = np.interp(x, self.log_mass, self.log_density)
        below = np.minimum(x - self.log_mass[0], 0.0) * self.low
        return np.asarray(inside + below + np.maximum(x - self.log_mass[-1], 0.0) * self.high)


def _lines(path: Path, text: str) -> tuple[dict[str, str], Array]:
    """Return the facts that comments state, and the lines of numbers."""
    facts: dict[str, str] = {}
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        plain, _, comment = line.partition("#")
        key, colon, value = comment.partition(":")
        key = " ".join(key.lower().split())
        if colon and key in _FACTS:
            facts[key] = " ".join(value.split())
        words = plain.replace(",", " ").split()
        if not words:
            continue
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            rows.append([math.nan])
        if len(rows[-1]) != len(rows[0]) or not all(map(math.isfinite, rows[-1])):
            raise FormatError(
                f"{path}, line {number}",
                shown(line[:60]),
                f"{len(rows[0])} finite numbers" if len(rows) > 1 else "finite numbers",
                "correct the line, or begin it with #",
            )
    lacking = [fact for fact in _NEEDED if fact not in facts]
    if lacking:
        raise FormatError(
            path,
            f"no line that states {', '.join(lacking)}",
            f"comments like\n{_EXAMPLE}\n",
            "add them above the numbers",
        )
    return facts, np.array(rows) if rows else np.empty((0, 2))


def _in_survey_units(
    path: Path, facts: dict[str, str], rows: Array
) -> tuple[float, Array, Array, dict[str, int]]:
    """Return h, log10 of masses [Msun], log10 of densities [1/Mpc^3/dex], and the columns."""
    logs, powers = [], []
    for fact, units in (("stellar mass", _MASS_UNITS), ("density", _DENSITY_UNITS)):
        words = facts[fact].split(" ", 1)
        logs.append(words[0].lower() == "log10" and len(words) > 1)
        unit = (words[1] if logs[-1] else facts[fact]).replace(" ", "")
        if unit not in units:
            allowed = ", ".join((*units, *(f"log10 {known}" for known in units)))
            found = shown(facts[fact])
            raise FormatError(f"{path}, # {fact}", found, allowed, "state one of these")
        powers.append(units[unit])
    stated = facts.get("h", "1" if powers == [2, 3] else "")
    if not re.fullmatch(r"[0-9.]+", stated) or not 0.3 <= float(stated) <= 1.5:
        raise FormatError(
            f"{path}, # h",
            shown(stated) if stated else "no h",
            "the h of masses and densities, from 0.3 to 1.5",
            "add a line such as # h: 0.7",
        )
    h = float(stated)
    names = facts.get("columns", " ".join(_COLUMNS[:2])).split()
    place = {name: k for k, name in enumerate(names) if name in _COLUMNS}
    if not set(_COLUMNS[:2]) <= set(place) or (len(rows) and rows.shape[1] < len(names)):
        raise FormatError(
            f"{path}, # columns",
            f"{' '.join(names)}, and lines of {rows.shape[1]} numbers",
            "stellar_mass and density, and no more names than columns",
            "name each column, those that are not read by -",
        )
    values = []
    for column, is_log in zip(_COLUMNS[:2], logs, strict=True):
        one = rows[:, place[column]]
        if not is_log and (one <= 0).any():
            raise BadValueError(
                path,
                f"a {column.replace('_', ' ')} of {one.min():g}",
                "positive numbers",
                "leave such lines out",
            )
        values.append(one if is_log else np.log10(one))
    mass = values[0] - powers[0] * math.log10(h)
    return h, mass, values[1] + powers[1] * math.log10(h), place


def _redshifts(path: Path, text: str) -> tuple[float, float]:
    match = re.fullmatch(r"([0-9.]+)(?: ?(?:to|-) ?([0-9.]+))?", text)
    try:
        low, high = (float(match[1]), float(match[2] or match[1])) if match else (1.0, 0.0)
    except ValueError:
        low, high = 1.0, 0.0
    if low > high:
        raise FormatError(
            f"{path}, # redshift", shown(text), "a range such as 0 to 0.06", "state it so"
        )
    return low, high


def names_at(redshift: float) -> Sequence[str]:
    """Return the names of the published functions that hold at a redshift."""
    return [name for name, one in PUBLISHED.items() if holds_at(one, redshift)]


def holds_at(function: MassFunction, redshift: float) -> bool:
    """Return whether a function holds at a redshift, whose rounding does not count."""
    low, high = function.redshift
    return low - 1e-3 <= redshift <= high + 1e-3


def with_fraction(function: MassFunction, fraction: float) -> MassFunction:
    """Return a function with the same share of satellites at all masses."""
    return replace(function, satellite_fraction=lambda x: np.full(np.shape(x), fraction))
