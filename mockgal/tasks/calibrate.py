"""Calibrate the HOD painter on pairs of runs: `mockgal calibrate`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, listening
from ..options import check_names
from ..protocols import spelled_out
from ..types import Scene
from .build import read
from .steps.truth import Truth, check_definition

if TYPE_CHECKING:
    from ..painters.hod.table import HODTable

LEAST_PARTICLES = 32

Run = str | os.PathLike[str] | Scene
Stars = Run | Truth


@spelled_out
def calibrate(
    pairs: Sequence[tuple[Stars, Run]],
    out: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    luminosity_floor: float | str | None = None,
    least_particles: int = LEAST_PARTICLES,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
    measure_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> HODTable:
    """Measure the HOD calibration of one pair of runs, or of several together.

    Parameters
    ----------
    pairs : sequence of (run, run)
        Each a hydrodynamic run and its gravity-only twin: paths (see `mockgal.read`) or scenes. In
        place of a hydrodynamic run, a `Truth`: galaxies on the subhalos of the gravity-only run.
        Then there is no correction for baryons.
    out : path-like, optional
        File for the table, ``.ecsv``; nothing is written without it.
    name : str, optional
        Name of the table; by default that of the file.
    luminosity_floor : float or str, optional
        Least stellar mass that counts as luminous: in Msun/h, or a text with a unit. By default
        the mass of 10 star particles of the hydrodynamic run.
    least_particles : int
        Least number of particles of a resolved gravity-only subhalo.
    provenance : mapping, optional
        Facts to record in the table: ``summary``, ``caution``, ``references`` and any others.
    overwrite : bool
    progress : callable, optional
        Called with (done, total, what).
    measure_options : mapping, optional
        Fields of `mockgal.calibration.request.Request`: ``edges``, ``bin_width``,
        ``least_hosts``, ``jackknife``, ``method`` and the tolerances of the domain.
    **options
        See `mockgal.read`.

    Returns
    -------
    HODTable
        The painter takes it as ``calibration``.

    Raises
    ------
    MockgalError
        The runs are not twins or lack a column; or the output cannot be written, which is raised
        before any work.

    Examples
    --------
    >>> from mockgal.testing import synthetic_pair
    >>> hydro, dark = synthetic_pair(600, seed=1, box_size=60.0)
    >>> table = mockgal.calibrate(
    ...     [(hydro, dark)], luminosity_floor="1e9 Msun/h", measure_options={"jackknife": 0}
    ... )
    >>> mock = mockgal.paint(dark, "hod", seed=1, calibration=table)
    >>> len(mock) > 0
    True
    """
    from ..calibration.floor import floor_of
    from ..calibration.hod_table import measure
    from ..calibration.request import Request
    from ..painters.hod.store import to_ecsv
    from ..system.files.atomic import atomic_output, check_output
    from ..system.files.lock import output_lock

    if out is None:
        scenes = [read_pair(pair, options) for pair in pairs]
    else:
        path = Path(out)
        if path.suffix != ".ecsv":
            raise UsageError(path, f"extension {path.suffix!r}", ".ecsv", "name it so")
        inputs = paths_of([run for pair in pairs for run in pair])
        check_output(path, overwrite, inputs)
        with output_lock(path):
            table = calibrate(
                pairs,
                name=name or path.stem,
                luminosity_floor=luminosity_floor,
                least_particles=least_particles,
                provenance=provenance,
                progress=progress,
                measure_options=measure_options,
                **options,
            )
            with atomic_output(path, overwrite=overwrite, inputs=inputs) as temporary:
                temporary.write_text(to_ecsv(table), encoding="utf-8")
        return table
    own = ("luminosity_floor", "least_particles")
    allowed = [field.name for field in fields(Request) if field.name not in own]
    check_names("calibrate", measure_options or {}, allowed)
    with listening() as warnings:
        floor, stated = floor_of(luminosity_floor, scenes)
        table = measure(
            scenes,
            name=name or "calibration",
            luminosity_floor=floor,
            least_particles=least_particles,
            provenance={"luminosity_floor": stated} | dict(provenance or {}),
            progress=progress,
            **(measure_options or {}),
        )
    return replace(table, provenance=table.provenance | {"warnings": warnings})


def read_pair(
    pair: tuple[Stars, Run],
    options: Mapping[str, Any],
    matter: str | os.PathLike[str] | None = None,
) -> tuple[Scene, Scene]:
    """Read a hydrodynamic run, or a `Truth`, and the gravity-only run of it.

    ``options`` are those of `mockgal.read`.

    ``matter`` is that of the gravity-only run, and so are the options about it.
    """
    of_hydro = {key: value for key, value in options.items() if not key.startswith("matter_")}
    of_dark = {key: value for key, value in options.items() if key != "stellar_mass_definition"}
    of_dark |= {} if matter is None else {"matter": matter}
    stars, run = pair
    if isinstance(stars, Truth):
        check_definition(options)
        dark = run if isinstance(run, Scene) else read(run, **of_dark)
        return stars.on(dark), dark
    hydro, dark = (
        one if isinstance(one, Scene) else read(one, **its_options)
        for one, its_options in ((stars, of_hydro), (run, of_dark))
    )
    return hydro, dark


def paths_of(runs: Sequence[Stars]) -> list[Path]:
    """Return the paths among runs."""
    tables = [run.table if isinstance(run, Truth) else run for run in runs]
    return [Path(table) for table in tables if isinstance(table, str | os.PathLike)]
