"""How a network is trained."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..painters.cnn.options import PRECISIONS
from ..random import check_seed

FACTOR = 0.1  # of the learning rate, when the validation loss no longer falls
ACCELERATORS = ("auto", "cpu", "gpu")
SYMMETRIES = ("none", "rotations", "all")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a network is trained.

    Parameters
    ----------
    seed : int
        Of the first weights, the order of the rows, and the symmetries.
    learning_rate : float
        Of Adam at the start.
    patience : int
        The learning rate falls by `FACTOR` when the validation loss has not fallen for more than so
        many epochs.
    weight_decay : float
        Of Adam: that times the weights is added to the gradient.
    batch_size : int
        Rows of a batch, on each device.
    crops_per_epoch : int, optional
        Subhalos in an epoch, after which the validation loss is measured, by default as many as
        there are to train on: drawn, or where each counts the same, others in every epoch.
    epochs : int
        At most so many.
    stop_after : int
        Stop when the validation loss has not fallen for so many epochs.
    symmetries : str
        That crops are turned and mirrored by: ``none``, ``rotations`` (24) or ``all`` (48).
    power_range : tuple of float
        Wavenumbers whose power chooses the weights [h/Mpc]; cut at half the Nyquist wavenumber.
    precision : str
        float32; tf32 (on a GPU) or bfloat16 for the layers, with weights in float32.
    accelerator, strategy : str
    devices : int
        Of Lightning.
    checkpoint_seconds : float
        Between checkpoints, which are also written after each epoch; results do not depend on it.

    Raises
    ------
    UsageError
        A value that is not allowed.
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
        """Plain JSON values."""
        values = dataclasses.asdict(self)
        return values | {"power_range": list(self.power_range)}

    def identity(self) -> dict[str, Any]:
        """Those of `to_dict` that a training under way cannot change."""
        free = ("epochs", "stop_after", "checkpoint_seconds")
        return {name: value for name, value in self.to_dict().items() if name not in free}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bad(name: str, found: object, expected: str) -> UsageError:
    return UsageError(f"training {name}", repr(found), expected)
