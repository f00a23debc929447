"""What a network is trained on: volumes, the subhalos in them, and batches of crops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import random
from ..paint.architecture import Architecture
from ..paint.weights_header import Normalisation

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]

TRAIN, VALIDATION, TEST, BUFFER = 0, 1, 2, -1


@dataclass(frozen=True)
class Volume:
    """A gravity-only box on the network's grid."""

    channels: Array
    voxel_size: float
    box_size: float
    redshift: float
    name: str


@dataclass(frozen=True)
class Samples:
    """Subhalos of all volumes."""

    volumes: tuple[Volume, ...]
    volume: Array
    voxel: Array
    halo_id: Array
    features: Array
    log_stellar_mass: Array
    mass: Array
    part: Array
    record: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.halo_id)

    @property
    def luminous(self) -> Array:
        """Which have a galaxy above the floor."""
        return np.isfinite(self.log_stellar_mass)


class Batch(NamedTuple):
    """Some rows as the network takes them."""

    crops: Tensor
    features: Tensor
    target: Tensor
    luminous: Tensor
    weight: Tensor
    rows: Array


class CropBatches:
    """Crops cut on the fly, in batches of an epoch."""

    def __init__(
        self,
        samples: Samples,
        rows: Array,
        *,
        architecture: Architecture,
        normalisation: Normalisation,
        batch_size: int,
        symmetries: str,
        seed: int,
        weights: Array | None = None,
        loss_weights: Array | None = None,
        shuffle: bool,
    ) -> None:
        self._samples, self._rows, self._architecture = samples, np.asarray(rows), architecture
        self._normalisation, self._batch_size, self._seed = normalisation, batch_size, seed
        self._weights, self._shuffle, self._symmetries = weights, shuffle, symmetries
        self._loss_weights = np.ones(len(samples), np.float32)
        if loss_weights is not None:
            self._loss_weights[self._rows] = loss_weights

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def epoch(self, number: int, first_batch: int = 0) -> Iterator[Batch]:
        """Batches of an epoch, from one of them on."""
        rows = self._rows
        if self._weights is not None:
            u = random.uniform(self._seed, "sampling", np.arange(len(rows)), draw=number)
            total = np.cumsum(self._weights)
            rows = rows[np.minimum(np.searchsorted(total / total[-1], u), len(rows) - 1)]
        elif self._shuffle:
            ids = self._samples.halo_id[rows]
            rows = rows[np.argsort(random.uniform(self._seed, "order", ids, draw=number))]
        edges = np.arange(len(self) + 1) * len(rows) // len(self)
        for k in range(first_batch, len(self)):
            yield self._batch(rows[edges[k] : edges[k + 1]])

    def _batch(self, rows: Array) -> Batch:
        import torch

        s, norm, side = self._samples, self._normalisation, self._architecture.crop_size
        crops = np.empty((len(rows), 2, side, side, side), dtype=np.float32)
        for k, row in enumerate(rows):
            channels = s.volumes[s.volume[row]].channels
            index = [np.arange(-(side // 2), side // 2 + 1) + i for i in s.voxel[row]]
            index = [i % channels.shape[1] for i in index]
            for c, (mean, deviation) in enumerate((norm.matter, norm.subhalos)):
                crops[k, c] = (channels[c][np.ix_(*index)] - mean) / deviation
        pairs = np.array(norm.features).reshape(-1, 2)
        features = (s.features[rows] - pairs[:, 0]) / pairs[:, 1]
        luminous = s.luminous[rows]
        mean, deviation = norm.target
        target = np.where(luminous, (s.log_stellar_mass[rows] - mean) / deviation, 0.0)
        return Batch(
            torch.from_numpy(crops),
            torch.from_numpy(features.astype(np.float32)),
            torch.from_numpy(target.astype(np.float32)),
            torch.from_numpy(luminous),
            torch.from_numpy(self._loss_weights[rows]),
            rows.astype(np.int64),
        )


def normalisation_of(samples: Samples, rows: Array, architecture: Architecture) -> Normalisation:
    """Means and deviations of some rows."""

    def pair(values: Array) -> tuple[float, float]:
        return float(np.mean(values)), float(np.std(values)) or 1.0

    channels = [np.concatenate([v.channels[c].ravel() for v in samples.volumes]) for c in (0, 1)]
    features = samples.features[rows]
    target = samples.log_stellar_mass[rows]
    return Normalisation(
        pair(channels[0]),
        pair(channels[1]),
        tuple(pair(features[:, k]) for k in range(features.shape[1])),
        pair(target[np.isfinite(target)]),
    )
