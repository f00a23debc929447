"""Options of a training."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import MISSING, dataclass
from typing import Any

from ..errors import UsageError
from ..options import check_options, choice, documented, number, text, whole
from ..painters.cnn.options import PRECISIONS
from ..random import check_seed

FACTOR = 0.1  # on the learning rate, when the validation loss no longer falls


@documented
@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of a training.

    A value that is not allowed raises a `UsageError`. The subhalos of an epoch are drawn with their
    chances or, if all have the same chance, each epoch takes a different subset. The weights are
    chosen by the power at wavenumbers in ``power_range`` [h/Mpc], a tuple of two floats; it is cut
    at half the Nyquist wavenumber.
    """

    seed: int = whole(
        "Seed of the initial weights, the order of the rows, and the symmetries.", MISSING
    )
    learning_rate: float = number(
        "Learning rate of Adam at the start (default: 0.001).", 1e-3, least=1e-12, most=10
    )
    patience: int = whole(
        "Divide the learning rate by ten when the validation loss has not fallen for more than "
        "this number of epochs (default: 5).",
        5,
        least=0,
        most=2000,
    )
    weight_decay: float = number("Weight decay of Adam (default: 0).", 0.0, least=0, most=10)
    batch_size: int = whole(
        "Number of subhalos in a batch, on each device (default: 32).", 32, least=2, most=1 << 16
    )
    crops_per_epoch: int | None = whole(
        "Number of subhalos shown in an epoch (default: the number in the training part).",
        least=2,
        most=1 << 40,
    )
    epochs: int = whole("Greatest number of epochs (default: 100).", 100, least=1, most=2000)
    stop_after: int = whole(
        "Stop when the validation loss has not fallen for this number of epochs (default: 16).",
        16,
        least=1,
        most=2000,
    )
    symmetries: str = choice(
        "Random symmetries of the network's input: none, the 24 rotations (the default of the "
        "preset paper), or all 48 rotations and reflections (the default).",
        ("none", "rotations", "all"),
        "all",
    )
    power_range: tuple[float, float] = (0.0, 10.0)
    precision: str = choice(
        "Precision of the network's layers (default: float32).", PRECISIONS, "float32"
    )
    accelerator: str = choice(
        "Kind of device to train on (default: auto, a GPU if there is one).",
        ("auto", "cpu", "gpu"),
        "auto",
    )
    strategy: str = text("Strategy of Lightning for several devices (default: auto).", "auto")
    devices: int = whole("Number of devices (default: 1).", 1, least=1, most=1024)
    checkpoint_seconds: float = number(
        "Time between checkpoints in seconds (default: 600). They are also written after each "
        "epoch.",
        600.0,
        least=0,
        most=1e9,
        changes_result=False,
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_seed(self.seed))
        check_options(self, "training", "mockgal train")
        pair = self.power_range
        if len(pair) != 2 or not all(map(_number, pair)) or not 0 <= pair[0] < pair[1]:
            raise UsageError(
                "training:power_range",
                repr(pair),
                "two wavenumbers, the first less than the second",
            )
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
