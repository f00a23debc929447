"""``python -m mockgal.universe FOLDER --seed 1``: write a synthetic universe."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from ..errors import MockgalError
from ..system import progress
from ..system.files import signals
from .make import Run, write_universe


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--seed", type=int, required=True, help="Seed of the initial conditions and all draws."
)
@click.option("--side", type=int, default=Run.side, help="Cube root of the number of particles.")
@click.option("--box-size", type=float, default=Run.box_size, help="Side of the box [Mpc/h].")
@click.option("--overwrite", is_flag=True, help="Replace the two files if they exist.")
def main(folder: Path, seed: int, side: int, box_size: float, overwrite: bool) -> None:
    """Write dark.hdf5 and hydro.hdf5, a synthetic pair of runs, for tests and documentation."""
    try:
        with progress.shown(_say):
            universe = write_universe(
                folder, seed, run=Run(box_size=box_size, side=side), overwrite=overwrite
            )
    except MockgalError as error:
        click.echo(f"mockgal: error[{error.code}] {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo(signals.INTERRUPTED, err=True)
        sys.exit(128 + signal.SIGINT)
    except SystemExit:
        click.echo(signals.INTERRUPTED, err=True)
        raise
    halos = universe.halos.catalog
    hosts, galaxies = int(halos["is_central"].sum()), universe.galaxies.record["luminous"]
    click.echo(f"{hosts} hosts, {len(halos) - hosts} satellites, {galaxies} galaxies, all made up")


def _say(done: int, total: int, label: str) -> None:
    click.echo(f"{label}: {done} of {total}", err=True)


if __name__ == "__main__":
    with signals.ending_command():
        main()
