"""Options of ``mockgal build`` for the painters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

PAINTER_OPTIONS = (
    "calibration",
    "allow_extrapolation",
    "missing_twin",
    "mode",
    "rank_by",
    "rank_correlation",
    "model",
    "threshold",
    "stellar_mass_law",
    "luminosity_floor",
    "weights",
    "deterministic",
    "average_symmetries",
    "device",
    "precision",
    "memory",
    "tile_size",
    "scratch",
    "resume",
)


def painting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that painters have, named `PAINTER_OPTIONS`."""
    options = (
        click.option(
            "--calibration",
            help="HOD calibration: a name from `mockgal calibrations` or an "
            ".ecsv file; by default the one whose domain holds the simulation.",
        ),
        click.option(
            "--allow-extrapolation",
            is_flag=True,
            default=None,
            help="Paint outside the calibration's range; flagged per galaxy.",
        ),
        click.option(
            "--missing-twin",
            type=click.Choice(["uncorrected"]),
            help="Paint with a calibration made without a gravity-only twin, which is refused "
            "otherwise: uncorrected leaves out the corrections for baryons; flagged per galaxy.",
        ),
        click.option(
            "--mode",
            type=click.Choice(["corrected", "paper"]),
            help="Form of the calibrated HOD: corrected (the default), or that of the paper's "
            "public code.",
        ),
        click.option(
            "--rank-by",
            type=click.Choice(["vmax", "mass"]),
            help="Let stellar mass go with this property of subhalos, given the mass of their host "
            "(conditional abundance matching); takes --rank-correlation.",
        ),
        click.option(
            "--rank-correlation",
            type=float,
            help="How closely, from -1 to 1.",
        ),
        click.option(
            "--model",
            type=click.Choice(["zheng07", "leauthaud11"]),
            help="Paint with a model of halotools in place of a calibration: zheng07 takes "
            "--threshold and --stellar-mass-law, leauthaud11 takes --luminosity-floor.",
        ),
        click.option(
            "--threshold",
            type=float,
            help="Of zheng07: absolute magnitude M_r - 5 log h that galaxies are brighter than, "
            "from -18 to -22 in steps of 0.5.",
        ),
        click.option(
            "--stellar-mass-law",
            type=click.Choice(["behroozi10", "moster13"]),
            help="Of zheng07: relation of stellar to halo mass.",
        ),
        click.option(
            "--luminosity-floor",
            metavar="MASS",
            help='Of leauthaud11: least stellar mass of a galaxy, such as "1e9 Msun/h".',
        ),
        click.option(
            "--weights",
            help="Of cnn: a name from `mockgal weights list`, or a .safetensors file; by default "
            "those whose domain holds the simulation.",
        ),
        click.option(
            "--deterministic",
            is_flag=True,
            default=None,
            help="Of cnn: no draw, but the median stellar mass of each galaxy that is more "
            "probable than not; biases the mass function.",
        ),
        click.option(
            "--average-symmetries",
            is_flag=True,
            default=None,
            help="Of cnn: average over the 48 turned and mirrored crops, at 48 times the cost.",
        ),
        click.option(
            "--device",
            type=click.Choice(["auto", "cpu", "cuda"]),
            help="Of cnn: where the network runs (default: auto, a GPU where there is one).",
        ),
        click.option(
            "--precision",
            type=click.Choice(["float32", "tf32", "bfloat16"]),
            help="Of cnn: numbers of the convolutions (default: float32); the others are refused "
            "where their error is above 1% of the target's standard deviation.",
        ),
        click.option(
            "--memory",
            metavar="SIZE",
            help='Of cnn: most memory to take, such as "4 GiB" (default: half of what is free).',
        ),
        click.option(
            "--tile-size",
            type=int,
            help="Of cnn: voxels along each side of a tile (default: from the memory; recorded).",
        ),
        click.option(
            "--scratch",
            help="Of cnn: folder for scratch files, where a grid does not fit in memory.",
        ),
        click.option(
            "--resume",
            metavar="FOLDER",
            help="Of cnn: folder that finished tiles are kept in; a build that was stopped goes "
            "on from there.",
        ),
    )
    for option in reversed(options):  # the last one added is shown first
        command = option(command)
    return command
