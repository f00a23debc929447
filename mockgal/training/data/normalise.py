"""Means and standard deviations of the training data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, warn
from .split import Split

if TYPE_CHECKING:
    from ...painters.cnn.architecture import Architecture
    from ...painters.cnn.weights.header import Normalisation
    from .samples import Samples

Array = NDArray[Any]


def normalisation_of(samples: Samples, rows: Array, architecture: Architecture) -> Normalisation:
    """Return the constants to standardise by, from the training data.

    Parameters
    ----------
    samples : Samples
    rows : ndarray of int, shape (n,)
        The training rows.
    architecture : Architecture

    Returns
    -------
    Normalisation
        For channels: over all voxels of the volumes of the rows, without held-out regions. For
        features: over the rows; for the offset, mean 0 and the same deviation for all axes, so that
        turning and standardising commute. For the target: over the luminous rows; for further
        targets, over the luminous rows where they are known.

    Raises
    ------
    UsageError
        There are fewer than two luminous rows, or all have the same mass; or the same holds for a
        further target.
    """
    from ...painters.cnn.features import OFFSETS
    from ...painters.cnn.weights.header import Normalisation

    values = [samples.log_stellar_mass, *(samples.further[name] for name in architecture.further)]
    names = ("stellar_mass", *architecture.further)
    targets = [_target(name, value[rows]) for name, value in zip(names, values, strict=True)]
    pairs = []
    for name, value in zip(architecture.features, samples.features[rows].T, strict=True):
        pairs.append(_moments(f"feature {name}", value))
    places = [k for k, name in enumerate(architecture.features) if name in OFFSETS]
    if places:
        rms = float(np.sqrt(np.mean(samples.features[rows][:, places] ** 2)))
        for k in places:
            pairs[k] = (0.0, rms or 1.0)
    matter, subhalos = _channels(samples, np.unique(samples.volume[rows]))
    return Normalisation(
        matter=matter,
        subhalos=subhalos,
        features=tuple(pairs),
        target=targets[0],
        further=tuple(targets[1:]),
    )


def _target(name: str, values: Array) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if len(known) < 2 or not known.std() > 0:
        raise UsageError(
            "rows to train on",
            f"{len(known)} luminous subhalos with a {name}",
            "two or more, with different values",
            "look at the split, or lower the luminosity floor",
        )
    return float(known.mean()), float(known.std())


def _moments(what: str, values: Array) -> tuple[float, float]:
    mean, deviation = float(values.mean()), float(values.std())
    if deviation > 1e-12 * abs(mean):
        return mean, deviation
    warn(
        f"{what}: one value, {mean:.6g}, in all rows to train on: the network learns nothing of it"
    )
    return mean, 1.0


def _channels(samples: Samples, volumes: Array) -> list[tuple[float, float]]:
    """Return mean and deviation of each channel over voxels that are not held out."""
    stored = samples.record.get("split")
    split = None if stored is None else Split.from_dict(stored)
    sums, number = np.zeros((2, 2)), 0
    for index in volumes:
        channels = samples.volumes[index].channels
        size = channels.shape[-1]
        for plane in range(size):
            free = np.ones((size, size), dtype=bool)
            if split is not None:
                for region in split.boxes[index].regions:
                    inside = [region.planes(axis, size) for axis in range(3)]
                    if inside[0][plane]:
                        free &= ~np.outer(inside[1], inside[2])
            values = channels[:, plane][:, free].astype(np.float64)
            sums[0] += values.sum(axis=1)
            sums[1] += (values * values).sum(axis=1)
            number += int(free.sum())
    mean = sums[0] / max(number, 1)
    deviation = np.sqrt(np.maximum(sums[1] / max(number, 1) - mean**2, 0.0))
    for name, value in zip(("matter", "subhalos"), deviation, strict=True):
        if not value > 0:
            raise UsageError(
                f"channel {name}", "one value everywhere", "varying values", "look at the input"
            )
    return [(float(a), float(b)) for a, b in zip(mean, deviation, strict=True)]
