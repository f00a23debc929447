"""Coverage maps (MOC): the IVOA standard 2.0, https://www.ivoa.net/documents/MOC/."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, UsageError
from ...system.files.plain_text import ordinary_file
from ..footprint import WHOLE_SKY

Array = NDArray[Any]

_MOST_BYTES = 1 << 28
_CELLS = 12 << 58  # of the finest order, 29
_EXPECTED = "a coverage map (MOC) of the sky: a FITS table of cells, or its text as ASCII or JSON"
_FIX = "write the map again, for instance by mocpy or Aladin"


class SkyCoverage:
    """The places that a coverage map covers, all with a completeness of 1.

    Parameters
    ----------
    path : Path
        A MOC in FITS, JSON or ASCII, in equatorial coordinates (ICRS), which its standard demands.

    Raises
    ------
    InputError
        The file is too long, or no coverage map of the sky.
    UsageError
        The library mocpy is not installed.

    Examples
    --------
    >>> import pathlib
    >>> from mockgal.survey.masks.moc import SkyCoverage
    >>> path = pathlib.Path("octants.moc")
    >>> _ = path.write_text("0/0-3")  # the four base pixels in the north
    >>> north = SkyCoverage(path)
    >>> north.completeness([45.0, 45.0], [80.0, -80.0]).tolist(), round(north.area)
    ([1.0, 0.0], 13751)
    """

    def __init__(self, path: Path) -> None:
        with ordinary_file(path, _EXPECTED) as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InputError(path, f"more than {_MOST_BYTES:,} bytes", _EXPECTED, _FIX)
        self._path = path
        self._map = _parsed(path, data)
        self._digest = hashlib.blake2b(data, digest_size=32).hexdigest()

    @property
    def area(self) -> float:
        """Area [deg^2]."""
        return float(self._map.sky_fraction * WHOLE_SKY)

    def completeness(self, ra: Array, dec: Array) -> Array:
        """Return 1 where the map covers a place [deg], else 0."""
        from astropy import units

        inside = self._map.contains_lonlat(np.asarray(ra) * units.deg, np.asarray(dec) * units.deg)
        return np.asarray(inside, dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """Return the name of the file, its resolution, and a digest of its bytes."""
        return {
            "kind": "coverage map (MOC)",
            "map": self._path.name,
            "order": int(self._map.max_order),
            "digest": self._digest,
        }


def _parsed(path: Path, data: bytes) -> Any:
    """Return the map of mocpy in the bytes of a file."""
    try:
        import mocpy
    except ImportError as error:
        raise UsageError(
            path,
            f"a coverage map, and no mocpy ({error})",
            "mocpy",
            "pip install 'mockgal[survey]', or pip install mocpy",
        ) from error
    try:
        if data[:6] == b"SIMPLE":
            found = mocpy.MOC.load(path, "fits")
        else:
            text = data.decode("ascii").strip()
            found = mocpy.MOC.from_string(text, "json" if text[:1] == "{" else "ascii")
    except BaseException as error:  # a panic of its compiled code is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise InputError(path, f"what cannot be read ({error})", _EXPECTED, _FIX) from error
    if not isinstance(found, mocpy.MOC):
        raise InputError(path, f"a {type(found).__name__}", _EXPECTED, _FIX)
    if found.to_depth29_ranges.max(initial=0) > _CELLS:
        raise InputError(path, "cells that are not on the sky", _EXPECTED, _FIX)
    return found
