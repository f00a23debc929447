"""Batches of crops around subhalos, cut from the volumes on demand.

The content of a batch depends only on (seed, epoch, number of the batch), so that a training that
was stopped resumes with the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DomainError, UsageError
from ...random import check_seed
from ...system.parallel import over
from .sampling import drawn, occurrences, shuffled, turns

if TYPE_CHECKING:
    from torch import Tensor

    from ...painters.cnn.architecture import Architecture
    from ...painters.cnn.weights.header import Normalisation, WeightsHeader
    from .samples import Samples

Array = NDArray[Any]

SYMMETRIES = ("none", "rotations", "all")
_EPOCHS = 2**32  # range of one word in the counter of random numbers


class Batch(NamedTuple):
    """A batch of subhalos, as input of the network.

    Parameters
    ----------
    crops : Tensor of float32, shape (b, 2, S, S, S)
        Standardised crops, with symmetries applied.
    features : Tensor of float32, shape (b, f)
        Standardised features; the offset is turned with the crop.
    target : Tensor of float32, shape (b,)
        Standardised log10 of stellar mass; 0 where not luminous.
    luminous : Tensor of bool, shape (b,)
    further : Tensor of float32, shape (b, t)
        Standardised log10 of the further targets; NaN where unknown.
    weight : Tensor of float32, shape (b,)
        Weight of the subhalo in the loss.
    rows : ndarray of int64, shape (b,)
        Rows of `Samples`.
    """

    crops: Tensor
    features: Tensor
    target: Tensor
    luminous: Tensor
    further: Tensor
    weight: Tensor
    rows: Array


class CropBatches:
    """Batches of subhalos for each epoch.

    Parameters
    ----------
    samples : Samples
    rows : ndarray of int, shape (n,)
        Rows of the samples to use.
    architecture : Architecture
    normalisation : Normalisation
    batch_size : int
        Most subhalos in a batch; batches of an epoch differ by at most one subhalo, so that no
        batch is small.
    symmetries : str
        ``none``; ``rotations``: one of the 24; ``all``: one of the 48. A symmetry is drawn for each
        subhalo and epoch, and again each time a subhalo is repeated in an epoch.
    seed : int
    weights : ndarray, shape (n,), optional
        Chances of the rows; an epoch is then drawn with replacement.
    loss_weights : ndarray, shape (n,), optional
        Weight of each row in the loss; by default 1.
    shuffle : bool
        Give each epoch an order of its own; else rows keep their order.
    number : int, optional
        Number of subhalos in an epoch, by default n. With weights they are draws; without, the
        first of the epoch's order, none repeated.

    Raises
    ------
    UsageError
        There are no rows, lengths differ, weights are not valid, or weights are given without
        shuffling; an epoch without weights has more subhalos than there are; or the features hold
        only some components of the offset.
    DomainError
        Crops are larger than a volume.
    """

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
        number: int | None = None,
    ) -> None:
        from ...painters.cnn.symmetries import rotations
        from ...painters.cnn.symmetries import symmetries as all_symmetries

        rows = np.asarray(rows, dtype=np.int64)
        if not len(rows):
            raise UsageError("rows to train on", "none", "one or more", "look at the split")
        if not (isinstance(batch_size, int) and batch_size > 0):
            raise UsageError("batch size", f"{batch_size!r}", "a whole number from 1 on")
        if symmetries not in SYMMETRIES:
            raise UsageError("symmetries", repr(symmetries), "one of " + ", ".join(SYMMETRIES))
        for name, values in (("weights", weights), ("loss weights", loss_weights)):
            if values is not None:
                _check_weights(name, values, len(rows))
        if weights is not None and not shuffle:
            raise UsageError(
                "weights", "rows that are not shuffled", "shuffled rows, since they are drawn"
            )
        self._number = len(rows) if number is None else number
        if self._number > len(rows) and weights is None:
            raise UsageError(
                "subhalos in an epoch",
                f"{number:,}",
                f"up to {len(rows):,}, the number of training subhalos",
                "use fewer, or draw them by mass (--sampling)",
            )
        self._offsets = _offsets(architecture, symmetries)
        for volume in samples.volumes:
            if volume.grid_size < architecture.crop_size:
                raise DomainError(
                    f"volume {volume.name}",
                    f"a grid of {volume.grid_size} voxels a side",
                    f"at least {architecture.crop_size}, the crop of the network",
                    "use a larger box, or an architecture with smaller crops",
                )
        self._samples, self._seed, self._shuffle = samples, check_seed(seed), shuffle
        order = np.lexsort((samples.halo_id[rows], samples.volume[rows]))
        if not shuffle:
            order = np.arange(len(rows))
        self._rows = rows[order]
        self._chances = None if weights is None else np.asarray(weights, np.float64)[order]
        self._loss_weights = np.ones(len(rows), np.float32)
        if loss_weights is not None:
            self._loss_weights[:] = loss_weights[order]
        self._side = architecture.crop_size
        self._turns = {
            "none": all_symmetries()[:1],
            "rotations": rotations(),
            "all": all_symmetries(),
        }[symmetries]
        pairs = np.array([normalisation.matter, normalisation.subhalos])
        self._mean = pairs[:, 0].astype(np.float32)
        self._scale = (1.0 / pairs[:, 1]).astype(np.float32)
        self._features = np.array(normalisation.features, dtype=np.float64).reshape(-1, 2)
        self._target = normalisation.target
        self._further = dict(zip(architecture.further, normalisation.further, strict=True))
        self._batches = -(-self._number // batch_size)

    @classmethod
    def unturned(
        cls, samples: Samples, rows: Array, header: WeightsHeader, batch_size: int
    ) -> CropBatches:
        """Return batches of each row once, in order and unturned, as a network paints them."""
        return cls(
            samples,
            rows,
            architecture=header.architecture,
            normalisation=header.normalisation,
            batch_size=batch_size,
            symmetries="none",
            seed=0,  # not used: nothing is drawn
            shuffle=False,
        )

    def __len__(self) -> int:
        return self._batches

    def epoch(self, number: int, first_batch: int = 0) -> Iterator[Batch]:
        """Return an iterator over the batches of an epoch.

        Parameters
        ----------
        number : int
            Number of the epoch, from 0.
        first_batch : int
            The first batch to yield; earlier ones are not made.

        Raises
        ------
        UsageError
            There is no such epoch or batch.
        """
        if not (0 <= number < _EPOCHS and 0 <= first_batch <= len(self)):
            raise UsageError(
                "batch",
                f"batch {first_batch} of epoch {number}",
                f"0 to {len(self)}, of an epoch from 0 on",
            )
        return self._epoch(number, first_batch)

    def _epoch(self, number: int, first_batch: int) -> Iterator[Batch]:
        taken = np.arange(len(self._rows))
        volume, ids = (x[self._rows] for x in (self._samples.volume, self._samples.halo_id))
        if self._chances is not None:
            taken = drawn(self._chances, self._number, self._seed, number)
        elif self._shuffle:
            taken = shuffled(volume, ids, self._seed, number)
        taken = taken[: self._number]
        turn = np.zeros(len(taken), dtype=np.int64)
        if len(self._turns) > 1:
            again = occurrences(taken)
            turn = turns(volume[taken], ids[taken], again, len(self._turns), self._seed, number)
        edges = np.arange(len(self) + 1) * len(taken) // len(self)
        for batch in range(first_batch, len(self)):
            chosen = slice(edges[batch], edges[batch + 1])
            yield self._batch(taken[chosen], turn[chosen])

    def _batch(self, taken: Array, turn: Array) -> Batch:
        import torch

        samples, rows = self._samples, self._rows[taken]
        features = samples.features[rows]
        if self._offsets is not None:
            for k, place in enumerate(turn):
                vector = features[k : k + 1, self._offsets]
                features[k, self._offsets] = self._turns[place].turn_vectors(vector)[0]
        if features.shape[1]:
            features = (features - self._features[:, 0]) / self._features[:, 1]
        target, (mean, deviation) = samples.log_stellar_mass[rows], self._target
        luminous = np.isfinite(target)
        target = np.where(luminous, (target - mean) / deviation, 0.0)
        further = np.empty((len(rows), len(self._further)))
        for place, (name, (mean, deviation)) in enumerate(self._further.items()):
            further[:, place] = (samples.further[name][rows] - mean) / deviation
        return Batch(
            torch.from_numpy(self._crops(rows, turn)),
            torch.from_numpy(features.astype(np.float32)),
            torch.from_numpy(target.astype(np.float32)),
            torch.from_numpy(luminous),
            torch.from_numpy(further.astype(np.float32)),
            torch.from_numpy(self._loss_weights[taken]),
            rows,
        )

    def _crops(self, rows: Array, turn: Array) -> Array:
        """Return standardised crops with symmetries applied, shape (b, 2, S, S, S)."""
        from .cut_kernels import cut

        samples, side = self._samples, self._side
        result = np.empty((len(rows), 2, side, side, side), dtype=np.float32)

        def one(place: int) -> None:
            row, symmetry = rows[place], self._turns[turn[place]]
            volume = samples.volumes[samples.volume[row]]
            first = (samples.voxel[row] - side // 2) % volume.grid_size
            start, step = np.zeros(3, dtype=np.int64), np.empty(3, dtype=np.int64)
            for power, axis, sign in zip((2, 1, 0), symmetry.axes, symmetry.signs, strict=True):
                step[axis] = sign * side**power
                start[axis] = (side - 1) * side**power if sign < 0 else 0
            out = result[place].reshape(2, -1)
            cut(volume.channels, first, start, step, side, self._mean, self._scale, out)

        over(one, range(len(rows)))
        return result


def _offsets(architecture: Architecture, symmetries: str) -> list[int] | None:
    """Return the indices of the offset among the features; None if it need not be turned."""
    from ...painters.cnn.features import OFFSETS

    places = [architecture.features.index(x) for x in OFFSETS if x in architecture.features]
    if symmetries == "none" or not places:
        return None
    if len(places) < len(OFFSETS):
        raise UsageError(
            "symmetries",
            f"{symmetries}, and features with {len(places)} components of the offset",
            "all three components or none: symmetries exchange them",
            "change the architecture's features",
        )
    return places


def _check_weights(name: str, weights: Array, number: int) -> None:
    if len(weights) != number or not (
        np.all(np.isfinite(weights)) and np.all(np.asarray(weights) >= 0) and np.sum(weights) > 0
    ):
        raise UsageError(
            name, "numbers that are not allowed", f"{number} numbers of 0 or more, not all 0"
        )
