"""Options of the painter ``cnn``, separate from it: all help texts need them, and none torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...options import allow_extrapolation, choice, flag, folder, name_or_file, size, whole

if TYPE_CHECKING:
    from .weights.named import Weights

SHIPPED = Path(__file__).with_name("networks")
EXTENSION = ".safetensors"
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("float32", "tf32", "bfloat16")


@dataclass(frozen=True)
class CNNOptions:
    """Options of the dm2gal network."""

    weights: str | os.PathLike[str] | Weights | None = name_or_file(
        "Weights of the network: a name that `mockgal weights list` shows, or a .safetensors "
        "file (default: those that are valid for the simulation).",
        extension=EXTENSION,
        shipped=SHIPPED,
        objects=("Weights",),
    )
    allow_extrapolation: bool = allow_extrapolation()
    deterministic: bool = flag(
        "Draw nothing: give each subhalo that is more likely than not to have a galaxy its "
        "median stellar mass. This biases the mass function."
    )
    average_symmetries: bool = flag(
        "Average the network's output over the 48 rotations and reflections of its input, at "
        "48 times the cost."
    )
    device: str = choice(
        "Device that the network runs on (default: auto, a GPU if there is one).",
        DEVICES,
        "auto",
        changes_result=False,
    )
    precision: str = choice(
        "Precision of the network's layers (default: float32). The others are refused if "
        "their error exceeds 1% of the standard deviation of the target.",
        PRECISIONS,
        "float32",
    )
    memory: str | None = size(
        'Most memory to use, such as "4 GiB" (default: half of what is free). For any painter with '
        "--part or --parts: of each process (default: no bound).",
    )
    tile_size: int | None = whole(
        "Voxels along each side of a tile (default: as many as the memory allows; recorded).",
        least=1,
        most=512,
    )
    scratch: str | os.PathLike[str] | None = folder(
        "Folder for scratch files, which are made if a grid does not fit in memory.",
        exists=False,
        changes_result=False,
    )
    resume: str | os.PathLike[str] | None = folder(
        "Folder for finished tiles. The same command resumes an interrupted build from there.",
        exists=False,
        changes_result=False,
    )
