"""Devices of a training: Lightning's Fabric, its precision, and the switches of torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from ..errors import UsageError
from .data.samples import Batch
from .options import TrainingOptions

if TYPE_CHECKING:
    from lightning.fabric import Fabric

LAYOUT = torch.channels_last_3d  # fastest for crops and weights: see docs/explanation/speed.md
INSTALL = "pip install 'mockgal[train]'"
_LIGHTNING = {"float32": "32-true", "tf32": "32-true", "bfloat16": "bf16-mixed"}


def installed(module: str, name: str) -> Any:
    """Return a module of the extra ``train``.

    Raises
    ------
    UsageError
        The module is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            "training", f"no {name} ({error})", "the packages that training needs", INSTALL
        ) from error


def fabric_of(options: TrainingOptions, *, launch: bool = True) -> Fabric:
    """Return Fabric with the devices of the options; without ``launch``, only check them.

    Raises
    ------
    UsageError
        Lightning is not installed, the devices do not exist, or another program started processes
        that do not fit the devices.
    """
    library = installed("lightning.fabric", "Lightning")
    from .processes import cluster_environment, warn_of_other_tasks

    environment = cluster_environment(options.devices)
    if not launch:
        warn_of_other_tasks(options.devices)
    try:
        fabric: Fabric = library.Fabric(
            accelerator=options.accelerator,
            strategy=options.strategy,
            devices=options.devices,
            precision=_LIGHTNING[options.precision],
            plugins=[environment],
        )
    except Exception as error:  # Lightning raises many kinds, all about the options
        raise UsageError(
            "training devices",
            f"that Lightning refuses {options.devices} of {options.accelerator!r} with strategy "
            f"{options.strategy!r} ({' '.join(str(error).split())[:200]})",
            "devices that this machine has",
        ) from error
    if options.precision == "tf32" and fabric.device.type != "cuda":
        raise UsageError("training precision", "tf32 without a GPU", "float32 or bfloat16")
    if launch:
        fabric.launch()
    return fabric


def is_first_process() -> bool:
    """Return whether this is the process that writes files, among those that train together."""
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    return int(getattr(rank_zero_only, "rank", None) or 0) == 0


@contextmanager
def torch_settings(options: TrainingOptions) -> Iterator[None]:
    """Set the switches of torch for training, and restore them afterwards."""
    cudnn, tf32 = torch.backends.cudnn, options.precision == "tf32"
    with cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=tf32):
        yield


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return the batch on a device, with its crops in `LAYOUT`; its rows are not moved."""
    moved = {name: getattr(batch, name).to(device) for name in Batch._fields if name != "rows"}
    moved["crops"] = moved["crops"].contiguous(memory_format=LAYOUT)
    return batch._replace(**moved)
