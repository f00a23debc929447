"""Snapshots of Gadget-4, AREPO and CAMELS in HDF5, without a catalogue beside them."""

from __future__ import annotations

from pathlib import Path

from ...errors import FormatError, MockgalError
from ...protocols import ReadOptions
from .. import chunks
from ..hdf5 import headers, safe
from ..subfind.snapshots import DARK_MATTER, open_snapshot, particles
from ..subfind.units import AREPO, GADGET4
from .facts import Matter

_STEMS, _FOLDERS = r"snap\w*", r"snapdir_\d+"
_TYPES = 6


def recognise(path: Path) -> bool:
    """Return whether a path is such a snapshot, or a folder with one; never raise."""
    try:
        files = chunks.find_set(path, _STEMS, _FOLDERS)
        return files is not None and is_snapshot(files.files[0])
    except MockgalError:
        # Several outputs: reading says which.
        return path.is_dir() and chunks.any_file(path, _STEMS, _FOLDERS, is_snapshot)


def is_snapshot(path: Path) -> bool:
    """Return whether a file holds particles as these codes write them; never raise."""
    try:
        with safe.open_hdf5(path) as file:
            return headers.has(file, "Header", "NumPart_ThisFile") and any(
                safe.exists(file, f"PartType{n}") for n in range(_TYPES)
            )
    except MockgalError:
        return False


def open_hdf5_snapshot(path: Path, options: ReadOptions) -> Matter:
    """Check a snapshot's headers; its particles are read on request.

    Parameters
    ----------
    path : Path
        A file, any file of a set, the ``snapdir_NNN`` folder, or a folder with one snapshot.
    options : ReadOptions

    Raises
    ------
    MockgalError
        See `mockgal.readers.subfind.snapshots.open_snapshot`.
    """
    files = chunks.find_set(path, _STEMS, _FOLDERS)
    if files is None:
        raise FormatError(
            path, "no file called NAME_NNN[.K].hdf5", "a snapshot", "give a file of the snapshot"
        )
    with safe.open_hdf5(files.files[0]) as file:
        # AREPO and its ancestors keep the cosmology in the header, Gadget-4 does not.
        of_arepo = headers.has(file, "Header", "HubbleParam")
    snapshot = open_snapshot(files, options, AREPO if of_arepo else GADGET4)
    cosmology = snapshot.units.cosmology
    stated = {"box_size": snapshot.box_size, "redshift": snapshot.redshift}
    stated |= {
        name: value
        for name in ("h", "omega_m", "omega_lambda", "w0", "wa")
        if (value := getattr(cosmology, name)) is not None
    }
    if len(snapshot.masses) > DARK_MATTER and snapshot.masses[DARK_MATTER]:
        stated["particle_mass"] = float(snapshot.masses[DARK_MATTER])
    return Matter(
        f"snapshot of {'AREPO or Gadget' if of_arepo else 'Gadget-4'} in HDF5",
        files.where,
        files.files,
        tuple(snapshot.rows.sum(axis=1).tolist()),
        stated,
        particles(snapshot, options),
        snapshot.table_mass,
        {
            **{name: snapshot.units.record[name] for name in ("length_unit", "mass_unit")},
            "tracers_left_out": snapshot.tracers,
        },
    )
