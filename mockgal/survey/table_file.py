"""Number densities by redshift from text files, such as those of survey teams."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, FormatError
from ..system.files.plain_text import read_text

Array = NDArray[Any]

_MOST = 10_000_000  # bytes
_EXPECTED = "a text table of z_low, z_high and the density"
_NAMES = {
    "low": ("z_low", "zlow", "z_lo", "zlo", "zmin", "z_min"),
    "high": ("z_high", "zhigh", "z_hi", "zhi", "zmax", "z_max"),
    "density": ("n(z)", "n", "nz", "nbar", "density", "dn/dz/deg2"),
}
_SAME = 1e-6  # of the width of a bin: edges that are rounded


def read_table(path: str | os.PathLike[str]) -> tuple[Array, Array]:
    r"""Return the edges of bins in redshift, and the densities in them, of a text table.

    Each line has a bin: its two edges and its density, in this order, or in columns that a line of
    names above them states: ``zlow``, ``zhigh`` and ``n(z)``, as DESI's tables do, where units in
    brackets may follow. Numbers are separated by blanks or commas. ``#`` begins a comment.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    edges : ndarray of float, shape (m + 1,)
    density : ndarray of float, shape (m,)
        In the unit of the file, whatever it is.

    Raises
    ------
    FormatError
        There is no such line, or a line is not of numbers.
    BadValueError
        The bins do not follow each other, or a density is negative.
    InputError, UnsafeInputError
        The file cannot be read, or is absurdly large.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mockgal.survey.table_file import read_table
    >>> _ = Path("nz.txt").write_text("# zlow zhigh n(z)\n0.4 0.5 3e-4\n0.5 0.6 1e-4\n")
    >>> edges, density = read_table("nz.txt")
    >>> edges.tolist(), density.tolist()
    ([0.4, 0.5, 0.6], [0.0003, 0.0001])
    """
    text = read_text(Path(path), _MOST, _EXPECTED, fix="give the path of a table")
    place: tuple[int, ...] | None = None
    rows: list[tuple[float, ...]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = _words(line.lstrip("# \t") if place is None and not rows else line)
        if not rows and (named := _columns(words)) is not None:
            place = named
            continue
        words = _words(line.partition("#")[0])
        if not words:
            continue
        if place is None:
            place = (0, 1, 2)
            if len(words) != 3:
                raise FormatError(
                    f"{path}, line {number}",
                    f"{len(words)} columns without names",
                    "three: the edges of a bin in redshift, and its density",
                    "write a line of names above them: # zlow zhigh n(z)",
                )
        rows.append(_numbers(f"{path}, line {number}", words, place))
    if not rows:
        raise FormatError(path, "no line of numbers", _EXPECTED, "give the path of a table")
    low, high, density = np.array(sorted(rows)).T
    apart = np.flatnonzero(np.abs(low[1:] - high[:-1]) > _SAME * (high - low).min())
    if apart.size:
        k = int(apart[0])
        raise BadValueError(
            path,
            f"a bin that ends at {high[k]:g} and one that begins at {low[k + 1]:g}",
            "bins that follow each other",
            "add bins of density 0 between them",
        )
    if (density < 0).any():
        k = int(np.argmax(density < 0))
        raise BadValueError(
            path,
            f"the density {density[k]:g} at {low[k]:g} to {high[k]:g}",
            "densities of 0 or more",
            "correct the line",
        )
    return np.append(low, high[-1]), density


def _words(line: str) -> list[str]:
    return line.replace(",", " ").split()


def _columns(words: list[str]) -> tuple[int, ...] | None:
    """Return the places of the three columns in a line of names; None if it has them not."""
    plain = [re.sub(r"[\[(](?!z\)).*$", "", word.lower()) for word in words]
    places = [[plain.index(x) for x in names if x in plain] for names in _NAMES.values()]
    return tuple(place[0] for place in places) if all(places) else None


def _numbers(where: str, words: list[str], place: tuple[int, ...]) -> tuple[float, ...]:
    try:
        numbers = tuple(float(words[k]) for k in place)
    except (ValueError, IndexError):
        numbers = (math.nan,)
    if not all(math.isfinite(x) for x in numbers):
        raise FormatError(
            where,
            f"{' '.join(words)[:60]!r}",
            "finite numbers: the edges of a bin in redshift, and its density",
            "correct the line",
        )
    return numbers
