"""Which columns of a mock may be stored in single precision, and by how much that may round them.

This is the one place that decides it. Columns that are not listed keep their type: ids and flags,
angles (of which single precision holds 0.05 arcsec), ranks, and the columns of plug-ins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .columns import OUR_COLUMNS, Column
from .cosmology import h_free
from .errors import UsageError, listed, warn
from .layout import SOFTENING
from .quantity import in_unit
from .snapshot import Snapshot

PRECISIONS = ("float64", "float32")
SHARE_OF_SOFTENING = 1e-3
# Of the mean separation of particles: no common run has a smaller softening.
SOFTENING_OF_SEPARATION = 0.01
SPEED = 1.0  # km/s
RELATIVE = 1e-6
_LIGHT = 299792.458  # km/s
_ROWS = 1 << 16  # compared at a time

Array = NDArray[Any]


class Allowed(NamedTuple):
    """The largest rounding that columns may have.

    Parameters
    ----------
    what : str
        The columns, in words.
    value : float
    unit : str
        Of the value: ``"Mpc/h"``, ``"km/s"``, or "" for a share of the number.
    because : str
    """

    what: str
    value: float
    unit: str
    because: str


def kind_of(column: Column) -> str:
    """Return the kind of a column that may be rounded; "" of one that keeps its type."""
    if column.name not in OUR_COLUMNS or column.dtype != "<f8":
        return ""
    if column.name.startswith("redshift"):
        return "redshifts"
    if column.name.startswith(("weight", "completeness", "number_density")):
        return "weights and densities"
    kinds = {"Mpc": "positions", "km/s": "velocities", "Msun": "masses"}
    return kinds.get(column.unit, "")


def allowed(kind: str, snapshot: Snapshot, position_rounding: str | None) -> Allowed | None:
    """Return the largest rounding of the columns of a kind; None if nothing sets one.

    Parameters
    ----------
    kind : str
        See `kind_of`.
    snapshot : Snapshot
    position_rounding : str or None
        What the user allows for positions, such as ``"0.1 kpc/h"``.

    Raises
    ------
    UsageError
        ``position_rounding`` is no length.
    """
    if kind in ("velocities", "redshifts"):
        return Allowed(kind, SPEED, "km/s", "")
    if kind != "positions":
        return Allowed(kind, RELATIVE, "", "")
    if position_rounding is not None:
        check_position_rounding(position_rounding)
        value = in_unit("position_rounding", position_rounding, "Mpc/h", snapshot.cosmology.h)
        return Allowed(kind, value, "Mpc/h", "as asked for")
    share, softening = f"{SHARE_OF_SOFTENING:g} of", snapshot.record.get(SOFTENING)
    if isinstance(softening, float):
        because = f"{share} the softening of {softening * 1e3:.4g} kpc/h"
    elif snapshot.particle_mass is not None:
        density = snapshot.cosmology.mean_matter_density
        separation = float((snapshot.particle_mass / density) ** (1 / 3))
        softening = SOFTENING_OF_SEPARATION * separation
        because = (
            f"{share} a softening of {softening * 1e3:.3g} kpc/h, {SOFTENING_OF_SEPARATION:g} of "
            "the mean separation of particles: the input states none"
        )
    else:
        return None
    return Allowed(kind, SHARE_OF_SOFTENING * softening, "Mpc/h", because)


def check_position_rounding(text: str) -> None:
    """Raise if a text is not a positive length.

    Raises
    ------
    UsageError
    """
    if in_unit("position_rounding", text, "Mpc/h", 1.0) <= 0:
        raise UsageError(
            "position_rounding", text, "a length above 0", 'give it as "0.1 kpc/h", or leave it out'
        )


def single(values: Array, edge: float) -> Array:
    """Return numbers in single precision; those below ``edge`` stay below it.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
    edge : float
        Side of the box, for positions in it; else infinity.
    """
    with np.errstate(over="ignore", under="ignore"):
        rounded = values.astype(np.float32)
    if edge < inf:
        last = np.float32(edge)
        while float(last) >= edge * (1 - 1e-15):  # reading converts the unit, in double precision
            last = np.nextafter(last, np.float32(0))
        np.minimum(rounded, last, out=rounded)
    return rounded


def largest_rounding(
    kind: str, rows: Callable[[int, int], Array], number: int, edge: float
) -> float:
    """Return by how much `single` changes numbers at most.

    Parameters
    ----------
    kind : str
        Of redshifts it is c dz / (1 + z), in km/s; of masses, weights and densities it is a share.
    rows : callable
        Returns rows ``start`` to ``stop``.
    number : int
        Of rows.
    edge : float
        See `single`.
    """
    most = 0.0
    for start in range(0, number, _ROWS):
        values = rows(start, min(start + _ROWS, number))
        with np.errstate(invalid="ignore", divide="ignore"):
            difference = np.abs(single(values, edge).astype(np.float64) - values)
            if kind == "redshifts":
                difference *= _LIGHT / (1 + values)
            elif kind not in ("positions", "velocities"):
                difference /= np.abs(values)
        difference[~np.isfinite(values) | (values == 0)] = 0.0
        most = max(most, float(difference.max(initial=0.0)))
    return most


class Numbers(Protocol):
    """The numbers of a column as a file holds them: see `mockgal.writers.provenance.FileColumn`."""

    @property
    def column(self) -> Column:
        """Its declaration."""

    @property
    def h_power(self) -> int:
        """Power of h in the unit of its numbers."""

    def rows(self, start: int, stop: int) -> Array:
        """Return some rows."""


class Chosen(NamedTuple):
    """How columns are stored.

    Parameters
    ----------
    edges : dict of str to float
        Of each column in single precision, the edge below which its numbers stay: see `single`.
    facts : dict
        For the file: ``columns``, in single precision, and ``kept``, in double precision, each with
        ``rounding``, what is ``allowed``, their ``unit`` and ``because``; ``position_rounding``.
    """

    edges: dict[str, float]
    facts: dict[str, Any]

    def in_words(self, name: str) -> str:
        """Return by how much a column is rounded; "" if it is not."""
        stated = self.facts["columns"][name]
        return amount(stated["rounding"], stated["unit"]) if stated["rounding"] else ""


def choose(
    columns: Sequence[Numbers],
    number: int,
    snapshot: Snapshot,
    frame: str,
    position_rounding: str | None,
) -> Chosen:
    """Return which columns are stored in single precision; warn of those that cannot be.

    Columns of a kind are stored alike: those of one place never differ in type.

    Parameters
    ----------
    columns : sequence of Numbers
    number : int
        Of rows.
    snapshot : Snapshot
    frame : str
        ``"box"`` or ``"sky"``.
    position_rounding : str or None
        See `allowed`.

    Raises
    ------
    UsageError
        ``position_rounding`` is no length.
    """
    if position_rounding is not None:
        check_position_rounding(position_rounding)
    result = Chosen({}, {"columns": {}, "kept": {}, "position_rounding": position_rounding})
    h, kinds = snapshot.cosmology.h, {one.column.name: kind_of(one.column) for one in columns}
    for kind in dict.fromkeys(filter(None, kinds.values())):
        own = [one for one in columns if kinds[one.column.name] == kind]
        in_box = frame == "box" and kind == "positions"
        edges = [
            _in_file(snapshot.box_size, one, h)
            if in_box and one.column.name.startswith("position_")
            else inf
            for one in own
        ]
        most = [
            largest_rounding(kind, one.rows, number, edge)
            for one, edge in zip(own, edges, strict=True)
        ]
        limit = allowed(kind, snapshot, position_rounding)
        unit, value = "Mpc/h" if own[0].h_power else "Mpc", inf
        if limit is not None:
            value = limit.value if kind != "positions" else _in_file(limit.value, own[0], h)
            unit = unit if kind == "positions" else limit.unit
        fits = limit is not None and max(most) < value
        for one, edge, rounding in zip(own, edges, most, strict=True):
            name = one.column.name
            if fits:
                result.edges[name] = edge
            result.facts["columns" if fits else "kept"][name] = {
                "rounding": rounding,
                "allowed": None if limit is None else value,
                "unit": unit,
                "because": "" if limit is None else limit.because,
            }
        if not fits:
            warn(_not_rounded([one.column.name for one in own], max(most), value, unit, limit))
    return result


def _in_file(length: float, one: Numbers, h: float) -> float:
    """Return a length in Mpc/h in the unit that a column has in a file."""
    return length if one.h_power else float(h_free(length, one.column.h_power, h))


def _not_rounded(
    names: list[str], rounding: float, value: float, unit: str, limit: Allowed | None
) -> str:
    """Return why columns stay in double precision, and what to do."""
    text = f"{listed(names)} stay in double precision: single precision rounds them by up to "
    text += amount(rounding, unit)
    if limit is None:
        text += "; the input states neither its softening nor a particle mass to hold that against"
    else:
        text += f"; {amount(value, unit)} is allowed" + f", {limit.because}" * bool(limit.because)
    if unit.startswith("Mpc"):
        most = f"{rounding * 1.05 * 1e3:.2g} k{unit.removeprefix('M')}"
        text += f'. --position-rounding "{most}" allows it'
    return text


def amount(value: float, unit: str) -> str:
    """Return a rounding in words."""
    return f"{value:.2g} {unit}" if unit else f"{value:.1g} of the value"


def in_words(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return lines on the precision of a file's columns, from the facts of `choose` in it.

    Returns
    -------
    list of tuple of str
        The type, ``"float32"`` or ``"float64"``, and a text.
    """
    lines = []
    for key, kind in (("columns", "float32"), ("kept", "float64")):
        groups: dict[tuple[Any, ...], dict[str, float]] = {}
        for name, one in facts.get(key, {}).items():
            why = one.get("allowed"), one.get("unit", ""), one.get("because", "")
            groups.setdefault(why, {})[name] = one.get("rounding", 0.0)
        for (value, unit, because), roundings in groups.items():
            most = max(roundings.values())
            text = ", ".join(roundings)
            if key == "kept":
                text += f", which float32 would round by {amount(most, unit)}"
            else:
                text += f", rounded by at most {amount(most, unit)}" if most else ", not rounded"
            if value is not None:
                text += f"; {amount(value, unit)} is allowed" + (f", {because}" if because else "")
            lines.append((kind, text))
    return lines
