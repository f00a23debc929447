"""Other files of mockgal that can be verified: tables, calibrations, weights, bundles, grids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import InputError, MockgalError, listed, listening
from ...fitting.result import FORMAT as FIT
from ...layout import DENSITY, MEASUREMENT, PROVENANCE, SUMS
from ...painters.cnn.options import EXTENSION
from ...readers.bundle import BundleReader
from ...readers.hdf5 import safe
from ...statistics.covariance import FORMAT as COVARIANCE
from ...system.files.ecsv import is_as_sealed
from ...writers.store import unlike
from ..build import read
from .checks import OPEN, RIGHT, WRONG, Check

_HDF5, _ECSV = b"\x89HDF\r\n\x1a\n", b"# %ECSV"
_CALIBRATION = "mockgal HOD calibration"
_HEADER, _MOST = 1 << 19, 1 << 26  # bytes of a table's header, and of a table
_ROWS = 1 << 20  # particles read at a time


def of_another_file(path: Path) -> list[Check]:
    """Return the checks of a file that is no mock; an empty list if it is none of these.

    Parameters
    ----------
    path : Path
        A table of ``mockgal measure`` or ``mockgal fit``, a calibration of the HOD, weights of the
        network, a bundle, or a density grid.
    """
    if not path.is_file():
        return []
    with open(path, "rb") as file:
        begin = file.read(_HEADER)
    if begin.startswith(_ECSV):
        text = begin.decode("utf-8", "replace")
        if any(form.rpartition(" ")[0] in text for form in (MEASUREMENT, COVARIANCE, FIT)):
            return [of_a_seal(path)]
        return _checked(path, "calibration", _calibration) if _CALIBRATION in text else []
    if path.name.endswith(EXTENSION):
        return _checked(path, "weights", _weights)
    if not begin.startswith(_HDF5):
        return []
    if BundleReader().detect(path):
        return [*_checked(path, "bundle", _bundle), _of_the_values(path)]
    return [_of_the_values(path)] if _is_a_grid(path) else []


def _is_a_grid(path: Path) -> bool:
    """Return whether a file is a density grid that mockgal wrote; never raise."""
    try:
        with safe.open_hdf5(path) as file:
            return {DENSITY, PROVENANCE, SUMS} <= set(safe.members(file, "/"))
    except MockgalError:
        return False


def _of_the_values(path: Path) -> Check:
    """Return the check of all values of a bundle or a grid by the sums in the file."""
    name, written = "values", "as written"
    try:
        wrong = unlike(path)
    except InputError as error:
        return Check(path, name, WRONG, "damaged", written, str(error))
    if wrong is None:
        why = "mockgal before 0.2 wrote no sums of them: the checksums of HDF5 are all there is"
        return Check(path, name, OPEN, "no sums in the file", written, why)
    if wrong:
        return Check(path, name, WRONG, "changed", written, f"others in {listed(wrong)}")
    return Check(path, name, RIGHT, written, written)


def of_a_seal(path: Path) -> Check:
    """Return the check of a table that has a digest of its text."""
    name, written = "whole table", "as written"
    if path.stat().st_size > _MOST:
        return Check(path, name, OPEN, "too large for a table of mockgal", written)
    same = is_as_sealed(path.read_bytes().decode("utf-8", "replace"))
    if same is None:
        why = "mockgal before 0.2 wrote no digest, and programs that write it anew leave it out"
        return Check(path, name, OPEN, "no digest in it", written, why)
    if same:
        return Check(path, name, RIGHT, written, written)
    return Check(
        path, name, WRONG, "changed", written, "its text has another digest than it states"
    )


def _checked(path: Path, kind: str, digest_of: Callable[[Path], str]) -> list[Check]:
    """Return the check of a file whose reader compares its digest."""
    try:
        with listening(quiet=True):
            digest = digest_of(path)
    except InputError as error:
        return [Check(path, kind, WRONG, "damaged", "as written", str(error))]
    return [Check(path, kind, RIGHT, digest[:16], digest[:16])]


def _calibration(path: Path) -> str:
    from ...painters.hod.store import read as read_calibration

    return read_calibration(path).digest


def _weights(path: Path) -> str:
    from ...painters.cnn.weights.named import read_weights  # with torch

    return read_weights(path).digest()


def _bundle(path: Path) -> str:
    """Return the digest of a bundle's halos, after reading its particles, which have checksums."""
    sim = read(path, allow_empty_regions=True)
    if sim.particles is not None:
        for _ in sim.particles.chunks(_ROWS):
            pass
    return sim.halos.digest()
