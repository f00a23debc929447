"""Polygons of mangle (Swanson et al. 2008, arXiv:0711.4352; Hamilton & Tegmark 2004)."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...system.files.plain_text import ordinary_file
from ..footprint import WHOLE_SKY
from ..sky import directions

Array = NDArray[Any]

_MOST_BYTES = 1 << 30  # unpacked
_EXPECTED = "polygons of mangle (.ply), each with caps, a weight from 0 to 1 and an area"
_FIX = "write them by mangle's poly2poly or balkanize, which state the area in str"
_HEAD = re.compile(r"polygon\s+(\S+)\s*\(([^)]*)\)\s*:?\s*$")
_FACT = re.compile(r"(\S+)\s+(caps|weight|str)\b")
_ROUND = 1e-9  # of a cap's height: what positions in double precision miss


@dataclass(frozen=True)
class Polygon:
    """Places within all of some caps.

    Parameters
    ----------
    caps : ndarray of float, shape (n, 4)
        The direction of each cap, and 1 - cos of its radius; if that is negative, all places
        outside the cap.
    weight : float
    area : float
        [sr]
    """

    caps: Array
    weight: float
    area: float

    def holds(self, place: Array) -> Array:
        """Return which directions (n, 3) are within."""
        inside = np.ones(len(place), dtype=bool)
        for x, y, z, height in self.caps:
            away = 1.0 - place @ np.array([x, y, z])
            inside &= away <= height if height >= 0 else away > -height
        return inside


class SkyPolygons:
    r"""A completeness in each polygon of a mangle mask.

    No place may be in several polygons, which `mangle` calls a balkanized mask: areas that the file
    states would count it twice.

    Parameters
    ----------
    path : Path
        A polygon file, also gzipped, in equatorial coordinates.

    Raises
    ------
    InputError
        The file is too long or no polygon file, or a polygon lacks caps, weight or area.

    Examples
    --------
    >>> import pathlib
    >>> from mockgal.survey.masks.polygons import SkyPolygons
    >>> path = pathlib.Path("north.ply")
    >>> head = "polygon 0 ( 1 caps, 0.5 weight, 6.283185307 str):"
    >>> _ = path.write_text(head + "\n 0 0 1 1")
    >>> north = SkyPolygons(path)
    >>> north.completeness([0.0, 0.0], [45.0, -45.0]).tolist(), round(north.area)
    ([0.5, 0.0], 10313)
    """

    def __init__(self, path: Path) -> None:
        text, self._digest = _text(path)
        self._path = path
        self._polygons = _polygons(path, text)

    @property
    def area(self) -> float:
        """Integral of the completeness [deg^2], from the areas that the file states."""
        total = sum(polygon.weight * polygon.area for polygon in self._polygons)
        return float(total / (4 * np.pi) * WHOLE_SKY)

    def completeness(self, ra: Array, dec: Array) -> Array:
        """Return the weight of the polygon at each place [deg]; 0 outside all.

        Raises
        ------
        InputError
            A place is in two polygons.
        """
        from scipy.spatial import cKDTree

        place = directions(np.ravel(ra), np.ravel(dec))
        result = np.zeros(len(place))
        taken = np.zeros(len(place), dtype=bool)
        tree = cKDTree(place) if len(place) else None
        for polygon in self._polygons if tree is not None else ():
            rows = _near(tree, polygon, len(place))
            rows = rows[polygon.holds(place[rows])]
            if taken[rows].any():
                raise InputError(
                    self._path,
                    "polygons that overlap, whose area would count twice",
                    "polygons of which no two have a place in common",
                    "run mangle's snap and balkanize on the mask",
                )
            result[rows], taken[rows] = polygon.weight, True
        return result.reshape(np.shape(ra))

    def describe(self) -> dict[str, Any]:
        """Return the name of the file, the number of polygons, and a digest of its bytes."""
        return {
            "kind": "mangle polygons",
            "map": self._path.name,
            "polygons": len(self._polygons),
            "digest": self._digest,
        }


def _near(tree: Any, polygon: Polygon, number: int) -> Array:
    """Return the rows in the smallest cap of a polygon, which holds all of it."""
    heights = polygon.caps[:, 3]
    small = np.where(heights >= 0, heights, 2.0)
    cap = int(np.argmin(small))
    if small[cap] >= 2.0:
        return np.arange(number)
    # Two directions whose cosine is 1 - h are sqrt(2 h) apart.
    reach = np.sqrt(2.0 * small[cap]) + _ROUND
    return np.sort(np.asarray(tree.query_ball_point(polygon.caps[cap, :3], reach), dtype=np.intp))


def _text(path: Path) -> tuple[str, str]:
    """Return the text of a file, and the digest of its bytes."""
    with ordinary_file(path, _EXPECTED) as file:
        data = file.read(_MOST_BYTES + 1)
        digest = hashlib.blake2b(data, digest_size=32).hexdigest()
        if data[:2] == b"\x1f\x8b":
            file.seek(0)
            try:
                with gzip.open(file) as packed:
                    data = packed.read(_MOST_BYTES + 1)
            except (OSError, EOFError) as error:
                raise InputError(path, f"damaged gzip ({error})", _EXPECTED, _FIX) from error
    if len(data) > _MOST_BYTES:
        raise InputError(path, f"more than {_MOST_BYTES:,} bytes", _EXPECTED, _FIX)
    return data.decode("ascii", "replace"), digest


def _polygons(path: Path, text: str) -> list[Polygon]:
    lines = text.splitlines()
    found, row = [], 0
    while row < len(lines):
        match = _HEAD.match(lines[row].strip())
        row += 1
        if match is None:
            continue
        where = f"{path}, line {row}, polygon {match[1][:20]}"
        stated = {name: value for value, name in _FACT.findall(match[2])}
        caps, weight, area = (_number(where, name, stated) for name in ("caps", "weight", "str"))
        if not 0 <= weight <= 1:
            raise InputError(where, f"a weight of {weight:g}", "0 to 1", "rescale the weights")
        if not (1 <= caps <= len(lines) - row and caps == int(caps) and 0 <= area <= 4 * np.pi):
            raise InputError(where, f"{caps:g} caps and {area:g} str", _EXPECTED, _FIX)
        rows = lines[row : row + int(caps)]
        row += int(caps)
        try:
            values = np.array([[float(word) for word in line.split()] for line in rows])
            if values.shape != (int(caps), 4) or not np.isfinite(values).all():
                raise ValueError("a cap is four finite numbers")
            if (np.abs((values[:, :3] ** 2).sum(axis=1) - 1.0) > 1e-6).any():
                raise ValueError("the direction of a cap is no unit vector")
        except ValueError as error:
            raise InputError(
                where, f"caps that cannot be read ({error})", _EXPECTED, _FIX
            ) from None
        found.append(Polygon(values, weight, area))
    if not any(polygon.weight > 0 for polygon in found):
        raise InputError(path, "no polygon of a weight above 0", _EXPECTED, _FIX)
    return found


def _number(where: str, name: str, stated: dict[str, str]) -> float:
    try:
        value = float(stated[name])
    except (KeyError, ValueError):
        said = repr(stated.get(name, "nothing"))[:40]
        raise InputError(where, f"{said} for {name}", _EXPECTED, _FIX) from None
    if not np.isfinite(value):
        raise InputError(where, f"{value} for {name}", _EXPECTED, _FIX)
    return value
