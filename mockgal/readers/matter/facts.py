"""Particles in files of their own, and what these state about their run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import HeaderError
from ...snapshot import REDSHIFTS
from ...types import Particles

MASS_UNIT = 1e10  # Msun/h, of Gadget and the codes that took its format


class Matter(NamedTuple):
    """Particles, and what their files state.

    Parameters
    ----------
    format : str
        What the files are, in words.
    where : str
        File or folder, for messages.
    files : tuple of Path
        All files that hold facts or particles.
    rows : tuple of int
        Positions in each file: two files with some must differ.
    stated : mapping of str to float
        Those of `mockgal.readers.given.FACTS` that the files state, in its units.
    particles : Particles
    total_mass : float or None
        Mass of all particles [Msun/h]; None if it is not known before they are read.
    record : mapping
        What the reader chose and counted: plain JSON values.
    """

    format: str
    where: str
    files: tuple[Path, ...]
    rows: tuple[int, ...]
    stated: Mapping[str, float]
    particles: Particles
    total_mass: float | None
    record: Mapping[str, Any]


def redshift_of(where: str, scale_factor: float, stated: float | None = None) -> float:
    """Return the redshift of a scale factor.

    Parameters
    ----------
    where : str
        Place of the scale factor, for messages.
    scale_factor : float
    stated : float, optional
        The redshift that the file states, too.

    Raises
    ------
    HeaderError
        There is no such scale factor, or the two contradict each other.
    """
    low, high = REDSHIFTS
    redshift = 1.0 / scale_factor - 1.0 if scale_factor > 0 else high + 1.0
    if not low <= redshift <= high:
        raise HeaderError(
            where,
            f"a scale factor of {scale_factor:g}",
            f"that of a redshift from {low:g} to {high:g}, as cosmological runs have",
            "use a snapshot of a comoving run",
        )
    if stated is not None and not abs(redshift - stated) <= 1e-4 * (1.0 + abs(redshift)):
        raise HeaderError(
            where,
            f"a redshift of {stated:g} with a scale factor of {scale_factor:g}",
            "redshift = 1 / a - 1",
            "correct the header",
        )
    return redshift
