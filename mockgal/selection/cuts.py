"""Cuts on any numeric column, with units: ``stellar_mass > 1e9 Msun/h``.

And on its rank: ``rank(vmax) <= 1000``, ``density(stellar_mass) <= 1e-3 h^3/Mpc^3``.

Grammar (nothing is evaluated)::

    cut    = what op value | value op what | value op what op value
    what   = column | "rank(" column ")" | "density(" column ")"
    op     = "<" | "<=" | ">" | ">=" | "==" | "!="
    value  = number [unit]          see `mockgal.quantity`
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import OUR_COLUMNS, Column
from ..completeness import Completeness
from ..errors import CutError, shown, warn
from ..quantity import LONGEST, UnitError, conversion, converted, finite, split
from ..system.columns.on_disk import BLOCK_ROWS, blocks_of
from ..system.scalars import LARGEST, SMALLEST
from ..types import GalaxyCatalog
from .ranks import most_massive, ranks, volume_of

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_EXAMPLE = 'one such as "stellar_mass > 1e9 Msun/h" or "1e9 Msun < stellar_mass < 1e10 Msun"'
_FIX = "see docs/reference/cuts.md"
_OF = re.compile(r"(rank|density)\(\s*(\w+)\s*\)")
# What is compared of a column's order, the largest value first.
_ORDERED = {
    "rank": Column("rank", "", h_power=0, a_power=0, dtype="<i8"),
    "density": Column("density", "Mpc-3", h_power=3, a_power=0, dtype="<f8"),
}


@dataclass(frozen=True)
class Bound:
    """One side of a cut: ``column op value``, with the value as the user wrote it."""

    op: str
    value: float  # an int where the column holds ints: ids are compared exactly
    unit: str

    def internal(self, column: Column, h: float) -> float:
        """Return the value in the column's internal unit."""
        if not self.unit:
            return self.value
        factor, h_power = conversion(self.unit, column.unit_label)
        return float(self.value * factor * h**h_power)


@dataclass(frozen=True)
class Cut:
    """A parsed cut: its text, its column, and one or two bounds.

    ``of`` is ``"rank"`` or ``"density"`` where the bounds are of the column's order, the largest
    value first, or of the comoving number density down to it.
    """

    text: str
    column: Column
    bounds: tuple[Bound, ...]
    of: str = ""

    @property
    def compared(self) -> Column:
        """What the bounds are in: the column, or its order."""
        return _ORDERED[self.of] if self.of else self.column

    def mask(self, galaxies: GalaxyCatalog) -> NDArray[np.bool_]:
        """Return a mask of the galaxies that pass, shape (n,).

        Raises
        ------
        CutError
            The catalogue does not have the column.
        """
        if self.column.name not in galaxies:
            raise CutError(
                f'cut "{self.text}"',
                f"no {self.column.name} in the catalogue: the simulation was read without it",
                "one of " + ", ".join(galaxies.columns),
                "leave this cut out, or cut on another column",
            )
        h = galaxies.snapshot.cosmology.h
        columns = {self.column.name: galaxies[self.column.name]}
        if self.of:
            columns[self.column.name] = ranks(galaxies, self.column.name)
            if self.of == "density":
                columns[self.column.name] = columns[self.column.name] / volume_of(galaxies.snapshot)
        passed = np.ones(len(galaxies), dtype=bool)
        for start, (values,) in enumerate(blocks_of(columns, self.column.name)):
            if values.dtype == np.float32:  # compare with the number itself, not its rounding
                values = values.astype(np.float64)
            here = passed[start * BLOCK_ROWS : (start + 1) * BLOCK_ROWS]
            for bound in self.bounds:
                here &= _OPERATORS[bound.op](values, bound.internal(self.compared, h))
        return passed

    def lower_limit(self, h: float) -> float:
        """Return the lower limit of passing galaxies, in internal units; -inf if there is none."""
        lower = [b.internal(self.compared, h) for b in self.bounds if b.op in (">", ">=", "==")]
        return max(lower, default=-np.inf)

    def upper_limit(self, h: float) -> float:
        """Return the upper limit of passing galaxies, in internal units; inf if there is none."""
        upper = [b.internal(self.compared, h) for b in self.bounds if b.op in ("<", "<=", "==")]
        return min(upper, default=np.inf)

    @property
    def bounds_a_range(self) -> bool:
        """Whether the bounds leave a range of the column itself."""
        return not self.of and all(bound.op != "!=" for bound in self.bounds)

    @property
    def takes_the_most_massive(self) -> bool:
        """Whether it takes the galaxies of the highest stellar mass, down to some number."""
        upper = all(bound.op in ("<", "<=") for bound in self.bounds)
        return bool(self.of) and self.column.name == "stellar_mass" and upper

    def asked_for(self, galaxies: GalaxyCatalog) -> float:
        """Return the number of galaxies that a cut on an order would leave, at least; else 0."""
        if not self.of:
            return 0.0
        h = galaxies.snapshot.cosmology.h
        upper = [
            bound.internal(self.compared, h) - (self.of == "rank" and bound.op == "<")
            for bound in self.bounds
            if bound.op in ("<", "<=")
        ]
        scale = volume_of(galaxies.snapshot) if self.of == "density" else 1.0
        return min(upper, default=np.inf) * scale

    def completeness(self, before: Completeness, removed: int, h: float) -> Completeness:
        """Return the completeness of the galaxies that pass.

        Limits on stellar mass change its range, whether or not they remove any galaxy. A cut on
        another column, or one that excludes a single value, leaves an incomplete sample, unless all
        galaxies pass.

        Parameters
        ----------
        before : Completeness
        removed : int
            Galaxies that do not pass.
        h : float
        """
        if self.column.name == "stellar_mass" and self.bounds_a_range:
            low = self.lower_limit(h)
            return before.raised(low, f'cut "{self.text}"').lowered(self.upper_limit(h))
        return before.lacking(f'selected by the cut "{self.text}"') if removed else before


def parse(text: str, declared: Mapping[str, Column] = OUR_COLUMNS) -> Cut:
    """Return the cut written in ``text``.

    Parameters
    ----------
    text : str
    declared : mapping of str to Column
        The columns allowed: see `mockgal.columns.declared_with`.

    Raises
    ------
    CutError
        Not a cut, an unknown column, a missing unit, or a unit of another kind.
    """
    if len(text) > LONGEST:
        raise CutError(f"cut {shown(text, 60)}", f"{len(text):,} characters", _EXAMPLE, _FIX)
    where = f'cut "{text}"'
    parts = re.split(r"(<=|>=|==|!=|<|>)", text)
    terms, ops = parts[::2], parts[1::2]
    names = [i for i, term in enumerate(terms) if split(term) is None]
    if len(ops) not in (1, 2) or len(names) != 1 or (len(ops) == 2 and names != [1]):
        raise CutError(
            where,
            "text that is not a comparison of a column with a number",
            _EXAMPLE,
            f"give several cuts separately, each with its own --cut; {_FIX}",
        )
    name = terms[names[0]].strip()
    ordered = _OF.fullmatch(name)
    of, of_column = ordered.groups() if ordered else ("", name)
    if of_column not in declared:
        raise CutError(where, f"column {shown(of_column)}", "one of " + ", ".join(declared), _FIX)
    column = _ORDERED.get(of) or declared[of_column]
    numbers = [f"{(split(term) or (name,))[0]} {column.unit_label}".strip() for term in terms]
    numbers[names[0]] = name
    fix = f'write "{" ".join(map(" ".join, zip(numbers, [*ops, ""], strict=True))).strip()}"'
    if len(ops) == 1:
        op = ops[0] if names[0] == 0 else _MIRRORED[ops[0]]
        bounds: tuple[Bound, ...] = (_bound(where, column, op, terms[1 - names[0]], fix),)
    else:
        if ops[0][0] != ops[1][0] or ops[0][0] not in "<>":
            raise CutError(where, f"{ops[0]} and {ops[1]}", "a range, both < or both >", _FIX)
        bounds = (
            _bound(where, column, _MIRRORED[ops[0]], terms[0], fix),
            _bound(where, column, ops[1], terms[2], fix),
        )
    return Cut(" ".join(text.split()), declared[of_column], bounds, of)


def _bound(where: str, column: Column, op: str, term: str, fix: str) -> Bound:
    number, unit = split(term) or ("", "")  # parse() sorted the terms
    value = finite(number)
    if value is None:
        expected = f"0, or a finite number from {SMALLEST:g} to {LARGEST:g}"
        raise CutError(where, number, expected, _FIX)
    if column.dtype == "<i8" and abs(value) < 2**63 and Decimal(number) % 1 == 0:
        value = int(Decimal(number))
    elif column is _ORDERED["rank"]:
        raise CutError(where, f"a rank of {number}", "a whole number", f"write {int(value)}")
    if not column.unit:
        if unit:
            raise CutError(where, f"unit {unit!r}", f"no unit for {column.name}", fix)
        return Bound(op, value, "")
    allowed = f'"{column.unit}"' + f' or "{column.unit_label}"' * (column.h_power != 0)
    if not unit:
        raise CutError(where, f"{number} without a unit", allowed, fix)
    try:
        factor, h_power = conversion(unit, column.unit_label)
        if h_power not in (0, -column.h_power):
            raise UnitError("with a power of h that this column does not have")
    except UnitError as error:
        found = f"unit {unit!r}, {error}"
        raise CutError(where, found, f"{allowed} for {column.name}", fix) from error
    if converted(value, factor) is None:
        expected = f"0, or a number from {SMALLEST:g} to {LARGEST:g} in {column.unit_label}"
        raise CutError(where, f"{number} {unit}", expected, _FIX)
    return Bound(op, value, unit)


def select(galaxies: GalaxyCatalog, *cuts: str) -> GalaxyCatalog:
    """Return the galaxies that pass all cuts, and record each cut's counts in the provenance.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    *cuts : str
        Applied in this order.

    Returns
    -------
    GalaxyCatalog
        ``provenance["cuts"]`` gains ``{"cut", "before", "after"}`` for each.

    Raises
    ------
    CutError
        See `parse`; or the catalogue lacks a column that not every input has.

    Warns
    -----
    MockgalWarning
        A cut on stellar mass below the painter's luminosity floor, or one that nothing passes.
    """
    parsed = [parse(text, galaxies.declared) for text in cuts]
    h = galaxies.snapshot.cosmology.h
    floor = galaxies.provenance.get("painter", {}).get("luminosity_floor_msun_h")
    record = list(galaxies.provenance.get("cuts", []))
    for cut in parsed:
        if floor and cut.column.name == "stellar_mass" and not cut.of:
            limit = cut.lower_limit(h)
            if -np.inf < limit < floor * (1 - 1e-9):
                warn(
                    f'cut "{cut.text}" is below the luminosity floor of the calibration, '
                    f"{floor:.4g} Msun/h = {floor / h:.4g} Msun: no galaxy is painted below the "
                    "floor, so the catalogue is not complete to the cut",
                )
        passed = np.flatnonzero(cut.mask(galaxies))
        if (asked := cut.asked_for(galaxies)) > len(galaxies) and np.isfinite(asked):
            warn(
                f'the cut "{cut.text}" asks for {asked:,.0f} galaxies: there are '
                f"{len(galaxies):,}, and the sample does not reach it",
            )
        record.append({"cut": cut.text, "before": len(galaxies), "after": len(passed)})
        if len(galaxies) and not len(passed):
            warn(f'no galaxy passes the cut "{cut.text}"')
        if cut.takes_the_most_massive:
            completeness = most_massive(galaxies, len(passed)).completeness
        else:
            removed = len(galaxies) - len(passed)
            completeness = cut.completeness(galaxies.completeness, removed, h)
        if len(passed) < len(galaxies):
            galaxies = galaxies.take(passed)
        galaxies = galaxies.with_completeness(completeness)
    return galaxies.with_provenance(cuts=record)
