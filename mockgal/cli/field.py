"""``mockgal field``: deposit galaxies, or the matter of a simulation, on a grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import cloup
from cloup import option, option_group

from ..errors import UsageError
from .command import Command, Outcome, about, files_of
from .options.shared import (
    Renamed,
    about_matter,
    assigning,
    changed,
    cutting,
    given,
    matter_option,
    overwriting,
    reading,
    sim_option,
    stem,
    weighting,
)
from .options.values import FILE, FOLDER, PATH, WHOLE
from .screen.left_out import titled
from .screen.streams import progress_bar

if TYPE_CHECKING:
    from ..tasks.field import Gridded

_OF_GALAXIES = ("cuts", "weight")
_OF_MATTER = ("matter", "origin", "subhalos", "least_subhalo_mass", "memory", "scratch")


@cloup.command(cls=Command)
@option_group(
    "What to put on the grid (one of these)",
    sim_option("Simulation, for a grid of its matter."),
    option(
        "--galaxies",
        type=PATH,
        cls=Renamed,
        formerly=("--from",),
        help="Mock or hydrodynamic run, for a grid of its galaxies.",
    ),
)
@option_group(
    "Grid",
    option("--grid", type=WHOLE, required=True, help="Number of voxels along each side."),
    assigning,
)
@option_group(
    "Grid of matter",
    matter_option("Particles of the simulation (default: its own)."),
    option(
        "--origin",
        type=click.Choice(["corner", "centre"]),
        help="Point of the first voxel that lies at the origin of the box: its corner (the "
        "default), or its centre.",
    ),
    option(
        "--subhalos/--no-subhalos",
        default=None,
        help="Whether to write a second grid with the bound mass of subhalos (default: yes).",
    ),
    option(
        "--least-subhalo-mass",
        metavar="MASS",
        help='Least bound mass of the subhalos on the second grid, such as "1e9 Msun/h" (default: '
        "all subhalos).",
    ),
    option(
        "--memory",
        metavar="SIZE",
        help='Largest memory to use for the grid, such as "2 GiB" (default: half of the free '
        "memory). If the grid does not fit, particles are first sorted into scratch files.",
    ),
    option(
        "--scratch",
        type=FOLDER,
        help="Folder for scratch files of 12 to 32 bytes a particle (default: that of TMPDIR).",
    ),
)
@option_group("Grid of galaxies", cutting, changed, weighting)
@option_group(
    "Output",
    option(
        "--out",
        type=FILE,
        help="Grid to write, .hdf5 (default: <input>-field.hdf5 here).",
    ),
    overwriting,
)
@about_matter
@reading
def field(
    sim: str | None,
    galaxies: str | None,
    grid: int,
    out: str | None,
    overwrite: bool,
    **options: Any,
) -> Outcome:
    """Write a density grid of galaxies, or of a simulation's matter."""
    wanted = given(options)
    path = galaxies or sim
    if path is None or (galaxies and sim):
        raise UsageError(
            "mockgal field",
            "neither --sim nor --galaxies" if path is None else "--sim and --galaxies",
            "one of them",
            "--sim for a grid of matter, --galaxies for one of galaxies",
        )
    for key in _OF_MATTER if galaxies else (*_OF_GALAXIES, "changed_by_hand"):
        if key in wanted:
            raise UsageError(
                "mockgal field",
                f"--{key.replace('_', '-').replace('cuts', 'cut')} with "
                + ("--galaxies" if galaxies else "--sim"),
                "an option for that input",
                "leave it out",
            )
    target = out or f"{stem(path)}-field.hdf5"
    write = _of_galaxies if galaxies else _of_matter
    with progress_bar() as progress:
        lines, facts = write(
            path, target, wanted, grid_size=grid, overwrite=overwrite, progress=progress
        )
    size = Path(target).stat().st_size
    voxels = f"{facts['voxel_size_mpc_h']:.4g} Mpc/h, {facts['kind']}, {facts['assignment']}"
    lines.append(f"wrote {target}: {grid}^3 voxels of {voxels}, {size:,} bytes")
    return Outcome(lines, facts | {"grid_size": grid, "bytes": size, "wrote": [target]})


def _of_galaxies(
    path: str, target: str, wanted: dict[str, Any], **others: Any
) -> tuple[list[str], dict[str, Any]]:
    from ..tasks.measure import field_file

    own = {key: wanted.pop(key) for key in ("assignment", *_OF_GALAXIES) if key in wanted}
    grid = field_file(path, target, read_options=wanted, **own, **others)
    return [], {
        "galaxies": path,
        "voxel_size_mpc_h": grid.voxel_size,
        "kind": grid.kind,
        "assignment": grid.assignment,
    }


def _of_matter(
    path: str, target: str, wanted: dict[str, Any], **others: Any
) -> tuple[list[str], dict[str, Any]]:
    from ..tasks.field import field as run

    gridded = run(path, target, **wanted, **others)
    snapshot = gridded.scene.snapshot
    return _describe(gridded), {
        "simulation": about(gridded.scene),
        "read": files_of(snapshot.source),
        "matter": gridded.matter,
        "subhalos": gridded.subhalos,
        "scratch_bytes": gridded.scratch_bytes,
        "voxel_size_mpc_h": snapshot.box_size / others["grid_size"],
        "kind": "mass",
        "assignment": wanted.get("assignment", "CIC"),
    }


def _describe(gridded: Gridded) -> list[str]:
    from ..tasks.inspect import columns_read

    snapshot, matter, subhalos = gridded.scene.snapshot, gridded.matter, gridded.subhalos
    way = f"two passes, with {gridded.scratch_bytes:,} bytes on the scratch disk"
    lines = [
        f"simulation  {snapshot.name} ({snapshot.format}), box {snapshot.box_size:g} Mpc/h, "
        f"redshift {round(snapshot.redshift, 9):.4g}",
        f"matter      {matter['particles']:,} particles of {matter['mass_msun_h']:.6g} Msun/h, "
        f"{matter['mean_density_over_omega_m']:.6g} times the matter of Omega_m; "
        + (way if gridded.scratch_bytes else "one pass"),
    ]
    lines[1:1] = titled("columns", columns_read(snapshot.record))
    if subhalos is not None:
        lines.append(
            f"subhalos    {subhalos['subhalos']:,} of {subhalos['mass_msun_h']:.6g} Msun/h; "
            f"{subhalos['subhalos_below_least_mass']:,} left out, below "
            f"{subhalos['least_mass_msun_h']:.4g} Msun/h"
        )
    return lines
