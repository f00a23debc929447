"""Choice of the format of particles: by their content, never by the extension."""

from __future__ import annotations

from pathlib import Path

from ...layout import BUNDLE_ATTRIBUTE
from ...protocols import ReadOptions
from ...system.files.plain_text import absent
from .. import raw
from ..bundle import BundleReader
from ..hdf5 import headers, safe
from . import fastpm, gadget, grids, hdf5_snapshot
from .facts import Matter


def particles_at(path: Path, options: ReadOptions, box_size: float | None) -> Matter | None:
    """Return the particles at a path, their headers checked; None if there are none.

    Parameters
    ----------
    path : Path
    options : ReadOptions
    box_size : float, optional
        Side of the box of the halos [Mpc/h].

    Raises
    ------
    MockgalError
        The path holds particles that cannot be read.
    """
    if not path.exists():
        raise absent(path, "particles or a density grid")
    if gadget.recognise(path):
        return gadget.open_gadget(path, options, box_size)
    if path.is_dir() and fastpm.recognise(path):
        return fastpm.open_fastpm(path, options)
    if hdf5_snapshot.recognise(path):
        return hdf5_snapshot.open_hdf5_snapshot(path, options)
    return _in_bundle(path, options)


def _in_bundle(path: Path, options: ReadOptions) -> Matter | None:
    """Return the particles of a bundle, or None if it is none or has none."""
    if not path.is_file() or raw.begin(path, len(grids.HDF5)) != grids.HDF5:
        return None
    with safe.open_hdf5(path) as file:
        if not headers.has(file, "/", BUNDLE_ATTRIBUTE):
            return None
    scene = BundleReader().read(path, ReadOptions(centred_origin=options.centred_origin))
    if scene.particles is None:
        return None
    snapshot = scene.snapshot
    stated = {name: getattr(snapshot, name) for name in ("box_size", "redshift", "particle_mass")}
    stated |= {name: getattr(snapshot.cosmology, name) for name in ("h", "omega_m", "omega_lambda")}
    return Matter(
        "bundle",
        str(path),
        (path,),
        (scene.particles.count,),
        {name: value for name, value in stated.items() if value is not None},
        scene.particles,
        None,
        {},
    )
