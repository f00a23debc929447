"""Pack a simulation into one bundle file: `mockgal pack`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError, renamed
from ..protocols import read_options
from ..types import Scene
from .build import read


@renamed(density="matter")
def pack(
    path: object,
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    particles: bool = True,
    matter: str | os.PathLike[str] | None = None,
    history: object = None,
    history_columns: str | Mapping[str, Any] | None = None,
    format: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    mass_definition: str | None = None,
    drop_bad: bool = False,
    orphans: str = "refuse",
    centred_origin: bool = False,
    allow_empty_regions: bool = False,
    allow_missing_chunks: bool = False,
    superslab: str | None = None,
    uncleaned: bool = False,
    stellar_mass_definition: str | None = None,
    h: float | None = None,
    omega_m: float | None = None,
    omega_lambda: float | None = None,
    w0: float | None = None,
    wa: float | None = None,
    box_size: float | str | None = None,
    redshift: float | None = None,
    particle_mass: float | str | None = None,
    columns: str | Mapping[str, Any] | None = None,
    matter_kind: str | None = None,
    matter_assignment: str | None = None,
    matter_origin: str | None = None,
    matter_dataset: str | None = None,
    chunk_rows: int = 1 << 20,
) -> Scene:
    """Pack a simulation into one bundle file, and return the packed simulation.

    Parameters
    ----------
    path : path-like or object
        See `mockgal.read`.
    out : path-like
        The bundle, ``.hdf5`` or ``.h5``.
    overwrite : bool
        Replace the bundle if it exists.
    particles : bool
        Pack the particles, where there are any.
    matter : path-like, optional
        Particles or a density grid to pack with it, in place of its own.
    history : path-like or object, optional
        A table from its merger trees, to pack with the halos.
    history_columns : str or mapping, optional
        Its columns; see `mockgal.read`.
    format, mass_definition, drop_bad, orphans, centred_origin, allow_empty_regions
    allow_missing_chunks, superslab, uncleaned, stellar_mass_definition, h, omega_m, omega_lambda
    w0, wa, box_size, redshift, particle_mass, columns, matter_kind, matter_assignment
    matter_origin, matter_dataset, chunk_rows
        Options for reading the simulation: see `mockgal.read`.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    Scene
        What was packed.

    Raises
    ------
    UsageError
        The bundle has another extension, exists, or is one of the inputs.
    MockgalError
        The simulation cannot be read, or the bundle not be written; a file that was there is left
        untouched.

    Examples
    --------
    >>> sim = mockgal.pack("catalogs/demo/dark.hdf5", "halos.hdf5", particles=False)
    >>> mockgal.read("halos.hdf5").halos.digest() == sim.halos.digest()
    True
    """
    options = read_options(locals())._asdict()
    from ..fields.matter import warn_of_moved
    from ..system.files.atomic import check_output
    from ..system.files.lock import output_lock
    from ..writers.bundle import write_bundle

    if Path(out).suffix.lower() not in (".hdf5", ".h5"):
        raise UsageError(out, f"extension {Path(out).suffix!r}", ".hdf5 or .h5", "name it so")
    inputs = [Path(item) for item in (path, matter, history) if isinstance(item, str | os.PathLike)]
    check_output(Path(out), overwrite=overwrite, inputs=inputs)
    with output_lock(Path(out)):
        sim = read(
            path,
            format=format,
            matter=matter,
            history=history,
            history_columns=history_columns,
            **options,
        )
        inputs += [Path(file.path) for file in sim.snapshot.source]
        check_output(Path(out), overwrite=overwrite, inputs=inputs)
        moved = write_bundle(
            sim, Path(out), overwrite=overwrite, particles=particles, progress=progress
        )
    warn_of_moved(moved)
    return sim
