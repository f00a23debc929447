"""From the rows of a format to a scene: what every reader does once it has parsed its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..layout import MASS_DEFINITIONS_IN_FILE
from ..protocols import ReadOptions
from ..types import Array, Scene, Snapshot
from .checks.values import Where, halo_catalog
from .chunks import source
from .given import check_box, complete, optional
from .stated_cosmology import make_cosmology

COSMOLOGY = ("h", "omega_m", "omega_lambda")


def make_scene(
    columns: Mapping[str, Array],
    files: Path | Iterable[Path],
    options: ReadOptions,
    *,
    format: str,
    simulation: str,
    mass_definition: str,
    box_size: float | None,
    redshift: float | None,
    cosmology: Mapping[str, float | None],
    particle_mass: float | None = None,
    record: Mapping[str, Any] | None = None,
    place: str = "",
    where: Where | None = None,
    counted: Mapping[str, Any] | None = None,
    stored: np.dtype[Any] | None = None,
) -> Scene:
    """Return a scene of halos, checked; what ``options`` say is done and counted here.

    Positions are wrapped; bad rows, copies and orphans are refused or dropped; masses are held
    against the box and each other; the files' SHA-256 digests are taken.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,) or (n, 3)
        At least `mockgal.columns.REQUIRED_HALO_COLUMNS`, in comoving Mpc/h, Msun/h and peculiar
        km/s.
    files : Path or iterable of Path
        What was read; none for an object in memory, which needs a ``place``.
    options : ReadOptions
        As `mockgal.protocols.Reader.read` has them.
    format : str
        Name of the reader.
    simulation : str
        Name of the run.
    mass_definition : str
        Of ``host_mass``: a key of `mockgal.types.MASS_DEFINITIONS`.
    box_size, redshift : float or None
        Side of the box [comoving Mpc/h], and redshift; None where the files do not state it. The
        user must then, with ``--box-size`` or ``--redshift``.
    cosmology : mapping of str to float or None
        Arguments of `mockgal.cosmology.Cosmology`: ``h``, ``omega_m`` and ``omega_lambda``, which
        the user must state where they are None, and others that the files state.
    particle_mass : float, optional
        Of dark matter [Msun/h], where the files or the user state it.
    record : mapping, optional
        What else the reader chose: plain JSON values.
    place : str, optional
        The input, for messages; by default the file, or the folder of several.
    where : callable, optional
        ``where(column, row)`` returns the place of a value, for messages.
    counted : mapping, optional
        What the reader counted, for the record of the halos.
    stored : dtype, optional
        Type of the positions in the files; by default that of the columns.

    Raises
    ------
    MockgalError
        Rows that cannot be true, or facts that neither the files nor the user state.

    Returns
    -------
    Scene

    Examples
    --------
    >>> from mockgal.protocols import ReadOptions
    >>> from mockgal.readers.scene import make_scene
    >>> halos = mockgal.read("catalogs/demo/dark.hdf5").halos
    >>> sim = make_scene(
    ...     dict(halos.columns),
    ...     (),
    ...     ReadOptions(),
    ...     format="mine",
    ...     simulation="run 7",
    ...     mass_definition="200c",
    ...     box_size=16.0,
    ...     redshift=0.0,
    ...     cosmology={"h": 0.6774, "omega_m": 0.3089, "omega_lambda": 0.6911},
    ...     particle_mass=1.34e9,
    ...     place="an example",
    ... )
    >>> len(sim.halos)
    456
    """
    files = [files] if isinstance(files, Path) else list(files)
    if not place:
        place = str(files[0]) if len(files) == 1 else f"{files[0].parent}"
    stated, by_user = complete(
        place,
        {
            "box_size": box_size,
            "redshift": redshift,
            **{name: cosmology.get(name) for name in COSMOLOGY},
        },
        options,
        expected="box [Mpc/h], redshift and cosmology of the run",
    )
    particle_mass, also = optional("particle_mass", particle_mass, options)
    facts: dict[str, Any] = {
        MASS_DEFINITIONS_IN_FILE: [mass_definition],
        "mass_definition_chosen_by": "user" if options.mass_definition else "default",
        "files": len(files),
        **(record or {}),
    }
    where = where or (lambda name, row: f"{place}:{name}, row {row}")
    if by_user or also:
        facts["given_by_user"] = [*by_user, *also]
    box_size, redshift = stated.pop("box_size"), stated.pop("redshift")
    if "box_size" in by_user:
        hosts = columns["position"][columns["is_central"]]
        check_box(hosts, box_size, options, where("position", 0).split(", row")[0])
    snapshot = Snapshot(
        name=simulation,
        box_size=box_size,
        redshift=redshift,
        cosmology=make_cosmology(place, {}, {**cosmology, **stated}, options),
        particle_mass=particle_mass,
        format=format,
        source=tuple(source(file) for file in files),
        record=facts,
    )
    rows = halo_catalog(
        dict(columns),
        mass_definition,
        snapshot,
        options,
        where,
        dict(counted or {}),
        stored=columns["position"].dtype if stored is None else stored,
    )
    return Scene(snapshot, rows)
