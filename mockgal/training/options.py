"""Options of a training."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..painters.cnn.options import PRECISIONS
from ..random import check_seed

FACTOR = 0.1  # on the learning rate, when the validation loss no longer falls
ACCELERATORS = ("auto", "cpu", "gpu")
SYMMETRIES = ("none", "rotations", "all")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of a training.

    Parameters
    ----------
    seed : int
        Seed of the initial weights, the order of the rows, and the symmetries.
    learning_rate : float
        Learning rate of Adam at the start.
    patience : int
        The learning rate is multiplied by `FACTOR` when the validation loss has not fallen for
        more than this number of epochs.
    weight_decay : float
        Weight decay of Adam: this factor times the weights is added to the gradient.
    batch_size : int
        Rows in a batch, on each device.
    crops_per_epoch : int, optional
        Subhalos in an epoch, after which the validation loss is measured. By default the number of
        training subhalos. They are drawn with their chances or, if all have the same chance, each
        epoch takes a different subset.
    epochs : int
        Greatest number of epochs.
    stop_after : int
        Stop when the validation loss has not fallen for this number of epochs.
    symmetries : str
        Symmetries applied to crops: ``none``, ``rotations`` (24) or ``all`` (48, with reflections).
    power_range : tuple of float
        Range of wavenumbers whose power chooses the weights [h/Mpc]; cut at half the Nyquist
        wavenumber.
    precision : str
        float32; tf32 (on a GPU) or bfloat16 for the layers, with weights in float32.
    accelerator, strategy : str
        Options of Lightning.
    devices : int
        Number of devices.
    checkpoint_seconds : float
        Time between checkpoints, which are also written after each epoch; results do not depend on
        it.

    Raises
    ------
    UsageError
        A value is not allowed.
    """

    seed: int
    learning_rate: float = 1e-3
    patience: int = 5
    weight_decay: float = 0.0
    batch_size: int = 32
    crops_per_epoch: int | None = None
    epochs: int = 100
    stop_after: int = 16
    symmetries: str = "all"
    power_range: tuple[float, float] = (0.0, 10.0)
    precision: str = "float32"
    accelerator: str = "auto"
    strategy: str = "auto"
    devices: int = 1
    checkpoint_seconds: float = 600.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_seed(self.seed))
        whole = {"batch_size": (2, 1 << 16), "epochs": (1, 2000), "stop_after": (1, 2000)}
        whole |= {"patience": (0, 2000), "devices": (1, 1024)}
        if self.crops_per_epoch is not None:
            whole["crops_per_epoch"] = (2, 1 << 40)
        for name, (least, most) in whole.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise _bad(name, value, f"a whole number from {least} to {most}")
        numbers = {"learning_rate": (1e-12, 10.0), "weight_decay": (0.0, 10.0)}
        for name, (low, high) in (numbers | {"checkpoint_seconds": (0.0, 1e9)}).items():
            if not (_number(getattr(self, name)) and low <= getattr(self, name) <= high):
                raise _bad(name, getattr(self, name), f"a number from {low:g} to {high:g}")
        choices = {
            "symmetries": SYMMETRIES,
            "precision": PRECISIONS,
            "accelerator": ACCELERATORS,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise _bad(name, getattr(self, name), "one of " + ", ".join(allowed))
        pair = self.power_range
        if len(pair) != 2 or not all(map(_number, pair)) or not 0 <= pair[0] < pair[1]:
            raise _bad("power_range", pair, "two wavenumbers, the first less than the second")
        object.__setattr__(self, "power_range", (float(pair[0]), float(pair[1])))

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain JSON values."""
        values = dataclasses.asdict(self)
        return values | {"power_range": list(self.power_range)}

    def identity(self) -> dict[str, Any]:
        """Return the options of `to_dict` that a running training cannot change."""
        free = ("epochs", "stop_after", "checkpoint_seconds")
        return {name: value for name, value in self.to_dict().items() if name not in free}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bad(name: str, found: object, expected: str) -> UsageError:
    return UsageError(f"training {name}", repr(found), expected)
