"""Options of ``mockgal build`` for the painters, a group for each kind."""

from __future__ import annotations

import click
from cloup import option, option_group

from .options import Decorator, keeping, names_of, options
from .values import CALIBRATION, FLOAT, FOLDER, WEIGHTS, WHOLE

_of_all = option(
    "--allow-extrapolation",
    is_flag=True,
    default=None,
    help="Paint subhalos outside the range that the painter was made for. They are flagged in the "
    "column extrapolated.",
)
_calibrated = (
    option(
        "--calibration",
        type=CALIBRATION,
        help="Calibration of the HOD: a name that `mockgal calibrations` lists, or an .ecsv file "
        "(default: the one that is valid for the simulation).",
    ),
    option(
        "--missing-twin",
        type=click.Choice(["uncorrected"]),
        help="Accept a calibration made without a gravity-only twin, and paint without the "
        "corrections for baryons. Galaxies are then flagged in the column extrapolated.",
    ),
    option(
        "--mode",
        type=click.Choice(["corrected", "paper"]),
        help="Form of the HOD: corrected (the default), or that of the public code of the paper.",
    ),
    option(
        "--rank-by",
        type=click.Choice(["vmax", "mass"]),
        help="Property of subhalos that stellar mass follows at a given host mass (conditional "
        "abundance matching). Needs --rank-correlation.",
    ),
    option(
        "--rank-correlation",
        type=FLOAT,
        help="Rank correlation of stellar mass with --rank-by, from -1 to 1.",
    ),
)
_modelled = (
    option(
        "--model",
        type=click.Choice(["zheng07", "leauthaud11"]),
        help="Model of halotools to paint with in place of a calibration. zheng07 needs "
        "--threshold and --stellar-mass-law; leauthaud11 needs --luminosity-floor.",
    ),
    option(
        "--threshold",
        type=FLOAT,
        help="For zheng07: absolute magnitude M_r - 5 log h of the faintest galaxies, from -18 to "
        "-22 in steps of 0.5.",
    ),
    option(
        "--stellar-mass-law",
        type=click.Choice(["behroozi10", "moster13"]),
        help="For zheng07: relation that gives galaxies their stellar mass from the halo mass.",
    ),
    option(
        "--luminosity-floor",
        metavar="MASS",
        help='For leauthaud11: least stellar mass of a galaxy, such as "1e9 Msun/h".',
    ),
)
_network = (
    option(
        "--weights",
        type=WEIGHTS,
        help="Weights of the network: a name that `mockgal weights list` shows, or a .safetensors "
        "file (default: those that are valid for the simulation).",
    ),
    option(
        "--deterministic",
        is_flag=True,
        default=None,
        help="Draw nothing: give each subhalo that more probably than not has a galaxy its median "
        "stellar mass. This biases the mass function.",
    ),
    option(
        "--average-symmetries",
        is_flag=True,
        default=None,
        help="Average the network's output over the 48 rotations and reflections of its input, at "
        "48 times the cost.",
    ),
    option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        help="Device that the network runs on (default: auto, a GPU if there is one).",
    ),
    option(
        "--precision",
        type=click.Choice(["float32", "tf32", "bfloat16"]),
        help="Precision of the network's layers (default: float32). The others are refused if "
        "their error exceeds 1% of the standard deviation of the target.",
    ),
    option(
        "--memory",
        metavar="SIZE",
        help='Most memory to use, such as "4 GiB" (default: half of what is free).',
    ),
    option(
        "--tile-size",
        type=WHOLE,
        help="Voxels along each side of a tile (default: as many as the memory allows; recorded).",
    ),
    option(
        "--scratch",
        type=FOLDER,
        help="Folder for scratch files, which are made if a grid does not fit in memory.",
    ),
    keeping(
        "Folder that keeps the finished tiles. A build that was stopped goes on from there when "
        "the same command is given again."
    ),
)
PAINTER_OPTIONS = names_of(options(_of_all, *_calibrated, *_modelled, *_network))


def painting(*first: Decorator) -> Decorator:
    """Return the options of painters in their groups, those of all painters after ``first``."""
    return options(
        option_group("Painter", *first, _of_all),
        option_group("Painter hod, with a calibration", *_calibrated),
        option_group("Painter hod, with a model of halotools", *_modelled),
        option_group("Painter cnn", *_network),
    )
