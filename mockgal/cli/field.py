"""``mockgal field``: galaxies, or the matter of a simulation, on a grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import assigning, cutting, given, overwriting, reading, stem, weighting
from .screen import progress_bar, say

if TYPE_CHECKING:
    from ..gridding import Gridded

_OF_GALAXIES = ("cuts", "weight")
_OF_MATTER = ("origin", "subhalos", "least_subhalo_mass", "memory", "scratch")


@click.command()
@click.option("--from", "galaxies", metavar="PATH", help="Galaxies: a mock, or a hydrodynamic run.")
@click.option("--sim", metavar="PATH", help="Matter: a simulation with particles.")
@click.option("--grid", type=int, required=True, help="Voxels along each side.")
@click.option("--out", help="Grid to write, .hdf5 (default: <name of PATH>-field.hdf5 here).")
@assigning
@cutting
@weighting
@click.option(
    "--origin",
    type=click.Choice(["corner", "centre"]),
    help="Of matter: where voxel 0 is, its corner at the origin (the default) or its centre.",
)
@click.option(
    "--subhalos/--no-subhalos",
    default=None,
    help="Of matter: write the bound mass of subhalos on a second grid, too (the default).",
)
@click.option(
    "--least-subhalo-mass",
    metavar="MASS",
    help='Of the smallest subhalo in it, such as "1e9 Msun/h" (default: all).',
)
@click.option(
    "--memory",
    metavar="SIZE",
    help='Of matter: for the grid, such as "2 GiB" (default: half of what is free). Where the '
    "grid does not fit, particles are sorted to scratch files first.",
)
@click.option(
    "--scratch",
    metavar="FOLDER",
    help="For scratch files, of 12 to 32 bytes a particle (default: that of TMPDIR).",
)
@overwriting
@reading
def field(
    galaxies: str | None,
    sim: str | None,
    grid: int,
    out: str | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Put galaxies, or the matter of a simulation, on a grid, and write it."""
    wanted = given(options)
    path = galaxies or sim
    if path is None or (galaxies and sim):
        raise UsageError(
            "mockgal field",
            "neither --from nor --sim" if path is None else "--from and --sim",
            "one of them",
            "--from for a grid of galaxies, --sim for one of matter",
        )
    for key in _OF_MATTER if galaxies else _OF_GALAXIES:
        if key in wanted:
            raise UsageError(
                "mockgal field",
                f"--{key.replace('_', '-').replace('cuts', 'cut')} with "
                + ("--from" if galaxies else "--sim"),
                "options that it has",
                "leave it out",
            )
    target = out or f"{stem(path)}-field.hdf5"
    write = _of_galaxies if galaxies else _of_matter
    with progress_bar() as progress:
        lines, made = write(
            path, target, wanted, grid_size=grid, overwrite=overwrite, progress=progress
        )
    say(
        [
            *lines,
            f"wrote {target}: {grid}^3 voxels of {made}, {Path(target).stat().st_size:,} bytes",
        ]
    )


def _of_galaxies(
    path: str, target: str, wanted: dict[str, Any], **others: Any
) -> tuple[list[str], str]:
    from ..measuring import field_file

    own = {key: wanted.pop(key) for key in ("assignment", *_OF_GALAXIES) if key in wanted}
    made = field_file(path, target, read_options=wanted, **own, **others)
    return [], f"{made.voxel_size:.4g} Mpc/h, {made.kind}, {made.assignment}"


def _of_matter(
    path: str, target: str, wanted: dict[str, Any], **others: Any
) -> tuple[list[str], str]:
    from ..gridding import field as run

    made = run(path, target, **wanted, **others)
    snapshot = made.scene.snapshot
    voxel = snapshot.box_size / others["grid_size"]
    return _describe(made), f"{voxel:.4g} Mpc/h, mass, {wanted.get('assignment', 'CIC')}"


def _describe(made: Gridded) -> list[str]:
    snapshot, matter, subhalos = made.scene.snapshot, made.matter, made.subhalos
    way = f"two passes, by way of {made.scratch_bytes:,} bytes on the scratch disk"
    lines = [
        f"simulation  {snapshot.name} ({snapshot.format}), box {snapshot.box_size:g} Mpc/h, "
        f"redshift {round(snapshot.redshift, 9):.4g}",
        f"matter      {matter['particles']:,} particles of {matter['mass_msun_h']:.6g} Msun/h, "
        f"{matter['mean_density_over_omega_m']:.6g} times the matter of Omega_m; "
        + (way if made.scratch_bytes else "one pass"),
    ]
    if subhalos is not None:
        lines.append(
            f"subhalos    {subhalos['subhalos']:,} of {subhalos['mass_msun_h']:.6g} Msun/h; "
            f"{subhalos['subhalos_below_least_mass']:,} left out, below "
            f"{subhalos['least_mass_msun_h']:.4g} Msun/h"
        )
    return lines
