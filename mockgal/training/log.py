"""The log of a training: tables of its epochs, and files for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..system.files.atomic import atomic_output
from .evaluation.selection import PowerComparison

SCALARS = (
    "training_loss",
    "validation_loss",
    "validation_loss_error",
    "learning_rate",
    "score",
    "mass_ratio",
)
EPOCHS, POWER = "epochs.csv", "power.csv"


def write(folder: Path, rows: Sequence[Mapping[str, Any]], comparison: PowerComparison) -> None:
    """Rewrite the tables: `EPOCHS`, and `POWER` with the spectra of each epoch and region."""
    write_table(
        folder / EPOCHS,
        ("epoch", *SCALARS),
        ([row["epoch"], *(row[name] for name in SCALARS)] for row in rows),
    )
    shells = (
        [row["epoch"], region["volume"], k, modes, true, painted]
        for row in rows
        for region, power in zip(comparison.record["regions"], row["power"], strict=False)
        for k, modes, true, painted in zip(
            region["k_h_per_mpc"],
            region["modes"],
            region["true_power_mpc3_h3"],
            power,
            strict=True,
        )
    )
    names = ("k_h_per_mpc", "modes", "true_power_mpc3_h3", "painted_power_mpc3_h3")
    write_table(folder / POWER, ("epoch", "volume", *names), shells)


def write_table(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file, completely or not at all; None becomes an empty field."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    table.writerows(rows)
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def tensorboard(folder: Path) -> Any:
    """Return a writer for TensorBoard, or None if it is not installed."""
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))


def add_scalars(writer: Any, row: Mapping[str, Any]) -> None:
    """Write the numbers of an epoch to TensorBoard."""
    for name in SCALARS:
        if row[name] is not None:
            writer.add_scalar(name, row[name], row["epoch"])
