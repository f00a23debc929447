"""The stellar mass above which a catalogue is complete: a property that travels with it.

Painting sets it, every cut and selection updates it, and the provenance and the header of files
record it. Catalogues that do not state it are not assumed to be complete.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

KEY = "completeness"  # of the provenance
NOT_STATED = "not stated"
BY_ROWS = "selected by rows"
# Why a catalogue is complete at no stellar mass, for a law and its input. Without numbers, which
# differ from law to law.
NO_SATELLITES = "no satellites: the input has none"
TOO_FEW = {
    kind: f"many {kind}s of the law are missing: the input has too few subhalos for them"
    for kind in ("central", "satellite")
}
_SLACK = 1e-9  # relative error of masses converted from one unit to another and back
_SHOWN = 3  # reasons shown in one line


@dataclass(frozen=True)
class Completeness:
    """The stellar masses between which a catalogue holds all galaxies, and why.

    Parameters
    ----------
    low : float or None
        Stellar mass above which the catalogue is complete [Msun/h]; None if not known.
    high : float
        Stellar mass up to which it is complete [Msun/h]; infinity without a limit.
    because : str
        What sets ``low``, in words, or why it is not known.
    lacks : tuple of str
        Reasons why the catalogue is complete at no stellar mass; empty if it is at some.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> faint = mockgal.most_massive(mock, 200).completeness
    >>> faint.low is not None, len(faint.lacks)
    (True, 1)
    """

    low: float | None = None
    high: float = math.inf
    because: str = ""
    lacks: tuple[str, ...] = ()

    @classmethod
    def of(cls, provenance: Mapping[str, Any]) -> Completeness:
        """Return the completeness that a provenance states; `is_stated` is false if it does not."""
        record = provenance.get(KEY)
        if not isinstance(record, Mapping):
            return cls()
        low, high = record.get("from_msun_h"), record.get("to_msun_h")
        return cls(
            None if low is None else float(low),
            math.inf if high is None else float(high),
            str(record.get("because", "")),
            tuple(str(reason) for reason in record.get("not_complete", ())),
        )

    def record(self) -> dict[str, Any]:
        """Return the completeness as plain JSON values, for the provenance."""
        entries: dict[str, Any] = {"from_msun_h": self.low, "because": self.because}
        if self.high < math.inf:
            entries["to_msun_h"] = self.high
        if self.lacks:
            entries["not_complete"] = list(self.lacks)
        return entries

    @property
    def is_stated(self) -> bool:
        """Whether anything is known."""
        return self.low is not None or bool(self.lacks)

    @property
    def limit(self) -> float | None:
        """Stellar mass above which it is complete [Msun/h]; None if there is none, or not known."""
        if self.low is None or self.lacks or self.low > self.high:
            return None
        return self.low

    def unknown(self, because: str) -> Completeness:
        """Return a copy whose lower limit is unknown, with the reason."""
        return replace(self, low=None, because=because)

    def raised(self, low: float, because: str) -> Completeness:
        """Return a copy with the lower limit raised to ``low`` [Msun/h], if that is higher."""
        if self.low is None or low <= self.low:
            return self
        return replace(self, low=float(low), because=because)

    def lowered(self, high: float) -> Completeness:
        """Return a copy with the upper limit lowered to ``high`` [Msun/h], if that is lower."""
        return replace(self, high=float(min(self.high, high)))

    def joined(self, other: Completeness) -> Completeness:
        """Return the completeness of both samples taken together: what both of them hold."""
        worse = other if other.low is None or (self.low or 0.0) < other.low else self
        low = self if self.low is None else worse
        result = replace(low, high=min(self.high, other.high), lacks=self.lacks)
        for reason in other.lacks:
            result = result.lacking(reason)
        return result

    def lacking(self, reason: str) -> Completeness:
        """Return a copy for a catalogue that lacks galaxies of any stellar mass, and why."""
        return self if reason in self.lacks else replace(self, lacks=(*self.lacks, reason))

    def holds(self, low: Array, high: Array) -> NDArray[np.bool_]:
        """Return whether each range of stellar mass [Msun/h] is wholly complete, shape (n,)."""
        limit = self.limit
        if limit is None:
            return np.zeros(len(low), dtype=np.bool_)
        return np.asarray((low * (1 + _SLACK) >= limit) & (high <= self.high * (1 + _SLACK)))

    def settings(self) -> dict[str, Any]:
        """Return the entries for `mockgal.statistics.result.Measurement.settings`."""
        limit = self.limit
        entries: dict[str, Any] = {
            "complete_from_msun_h": limit
            if limit is not None
            else ("at no stellar mass" if self.is_stated else NOT_STATED),
            "completeness": str(self),
        }
        if limit is not None and self.high < math.inf:
            entries["complete_to_msun_h"] = self.high
        return entries

    def __str__(self) -> str:
        if self.lacks:
            shown = "; ".join(self.lacks[:_SHOWN])
            more = len(self.lacks) - _SHOWN
            return f"not a complete sample: {shown}" + f"; and {more} more" * (more > 0)
        if self.low is None:
            return f"{NOT_STATED}: {self.because}" if self.because else NOT_STATED
        reach = f"from {self.low:.4g} Msun/h"
        if self.high < math.inf:
            reach += f" to {self.high:.4g} Msun/h"
        if self.limit is None:
            return f"at no stellar mass: {reach} ({self.because})"
        return f"{reach} ({self.because})"


def is_all(rows: Array | slice, number: int) -> bool:
    """Return whether ``rows`` (numbers, a mask or a slice) are all ``number`` rows, each once."""
    if isinstance(rows, slice):
        return len(range(number)[rows]) == number
    rows = np.asarray(rows)
    if rows.dtype == np.bool_:
        return len(rows) == number == np.count_nonzero(rows)
    if len(rows) != number:
        return False
    chosen = np.zeros(number, dtype=np.bool_)
    chosen[rows] = True
    return bool(chosen.all())
