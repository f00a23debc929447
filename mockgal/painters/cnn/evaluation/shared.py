"""Exact evaluation of the network for many subhalos of a tile; work that crops share is done once.

`mockgal.painters.cnn.evaluation.plan` decides what is shared. Batch normalisation is folded into
the convolutions before it. `reference` is the plain evaluation, one crop for each subhalo.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....errors import InternalError
from ..network import GalaxyNetwork
from ..options import PRECISIONS
from ..symmetries import Symmetry
from .plan import AT_ONCE, plan

Array = NDArray[Any]

_TYPES = dict(zip(PRECISIONS, (torch.float32, torch.float32, torch.bfloat16), strict=True))
BATCH_BYTES = 160 << 20  # of a batch of windows, before and after a layer
_HEAD_ROWS = 1 << 16
# With fewer rows (for kernels of one voxel), or a single row of few values (for kernels of three),
# torch runs convolutions with code whose last bits depend on the number of threads.
_LEAST_ROWS, _SMALL = 16, 20480


class SharedNetwork:
    """A network ready to be evaluated.

    Parameters
    ----------
    network : GalaxyNetwork
        In evaluation mode.
    device : str
        A torch device.
    precision : str
        Precision of the convolutions, one of `PRECISIONS`; all else is in float32.
    symmetry : Symmetry, optional
        Evaluate as if the crops were turned by this symmetry.
    """

    def __init__(
        self,
        network: GalaxyNetwork,
        *,
        device: str = "cpu",
        precision: str = "float32",
        symmetry: Symmetry | None = None,
    ) -> None:
        self.architecture, self.symmetry = network.architecture, symmetry
        self.device = torch.device(device)
        self._type, self._tf32 = _TYPES[precision], precision == "tf32"
        self._convolutions = []
        for weight, bias in network.folded():
            if symmetry is not None:
                weight = symmetry.undo(weight)
            weight = weight.to(self.device, self._type, memory_format=torch.channels_last_3d)
            self._convolutions.append((weight, bias.to(self.device, self._type)))
        self._network = deepcopy(network).to(self.device)  # the caller's stays on its device

    def __call__(self, tile: Array, starts: Array, features: Array) -> Array:
        """Predict for subhalos of a tile.

        Parameters
        ----------
        tile : ndarray of float32, shape (2, X, Y, Z)
            Standardised channels.
        starts : ndarray of int, shape (n, 3)
            First voxel in the tile of the receptive field of each subhalo.
        features : ndarray of float32, shape (n, f)
            Standardised.

        Returns
        -------
        ndarray of float64, shape (n, o)
            See `GalaxyNetwork.forward`.

        Raises
        ------
        InternalError
            A receptive field reaches beyond the tile.
        """
        voxels, row = np.unique(starts, axis=0, return_inverse=True)
        room = np.array(tile.shape[1:]) - self.architecture.windows[0]
        if ((voxels < 0) | (voxels > room)).any():
            raise InternalError(
                "subhalos of a tile",
                f"receptive fields that start at {voxels.min(axis=0)} to {voxels.max(axis=0)}",
                f"0 to {room}, for a tile of {tile.shape[1:]} voxels",
                "please report this",
            )
        with self._settings(tf32=self._tf32):
            seen = self._convolve_all(tile, voxels)
        with self._settings(tf32=False):
            return self._fully_connected(seen, row.reshape(-1), features)

    def of_features(self, features: Array) -> Array:
        """Predict for subhalos from their standardised features, for a network without fields."""
        with self._settings(tf32=False):
            seen = torch.empty((len(features), 0), device=self.device)
            return self._fully_connected(seen, np.arange(len(features)), features)

    def _fully_connected(self, seen: Tensor, row: Array, features: Array) -> Array:
        result = np.empty((len(row), len(self.architecture.outputs)))
        for first in range(0, len(row), _HEAD_ROWS):
            part = slice(first, first + _HEAD_ROWS)
            mine = seen[torch.from_numpy(row[part]).to(self.device)]
            own = torch.from_numpy(np.ascontiguousarray(features[part], dtype=np.float32))
            inputs = torch.cat([mine, own.to(self.device)], dim=1)
            x = torch.zeros((max(len(inputs), _LEAST_ROWS), inputs.shape[1]), device=self.device)
            x[: len(inputs)] = inputs
            x = _linear(_linear(x, self._network.hidden).relu_(), self._network.output)
            result[part] = x[: len(inputs)].cpu().numpy()
        return result

    def _convolve_all(self, tile: Array, starts: Array) -> Tensor:
        """Return the output of the convolutions for each window, float32 of shape (n, 8c)."""
        channels = self.architecture.channels_out
        self._seen = torch.empty((len(starts), channels), device=self.device)
        self._waiting: dict[int, tuple[list[int], Tensor]] = {}
        whole = torch.from_numpy(np.ascontiguousarray(tile, dtype=np.float32))
        whole = whole.to(self.device, self._type)[None].to(memory_format=torch.channels_last_3d)
        for box in plan(self.architecture, starts):
            self._dense(whole, starts[box.rows], box.rows, 0, box.split)
        for split in sorted(self._waiting):
            self._finish(split)
        seen = self._seen
        del self._seen, self._waiting
        return seen

    def _dense(self, x: Tensor, starts: Array, rows: Array, layer: int, split: int) -> None:
        """Apply the layers from ``layer`` up to the split to the part of ``x`` that windows see."""
        layers, windows = self.architecture.layers, self.architecture.windows
        x, starts = _narrowed(x, starts, windows[layer])
        while layer < split and layers[layer].stride == 1:
            x = self._convolve(x, layer)
            layer += 1
        if layer == split:
            self._take(x, starts, rows, split)
            return
        phase = starts % 2
        parities = np.unique(phase, axis=0)
        at_once = len(parities) >= AT_ONCE
        if at_once:
            x = self._convolve(x, layer, stride=1)
        for parity in parities:
            here = np.flatnonzero((phase == parity).all(axis=1))
            if at_once:
                i, j, k = parity.tolist()
                grid, begin = x[:, :, i::2, j::2, k::2], starts[here]
            else:
                mine, begin = _narrowed(x, starts[here], windows[layer])
                grid = self._convolve(mine, layer)
            self._dense(grid, begin // 2, rows[here], layer + 1, split)

    def _take(self, x: Tensor, starts: Array, rows: Array, split: int) -> None:
        """Collect windows of ``x``, to be processed in a batch with others."""
        side, channels_last = self.architecture.windows[split], x[0].permute(1, 2, 3, 0)
        if split not in self._waiting:
            shape = (self._batch(split), *3 * (side,), x.shape[1])
            self._waiting[split] = [], torch.empty(shape, dtype=x.dtype, device=self.device)
        waiting, windows = self._waiting[split]
        for row, (i, j, k) in zip(rows.tolist(), starts.tolist(), strict=True):
            window = channels_last[i : i + side, j : j + side, k : k + side]
            windows[len(waiting)].copy_(window)
            waiting.append(row)
            if len(waiting) == len(windows):
                self._finish(split)

    def _finish(self, split: int) -> None:
        """Apply the remaining layers to the waiting windows."""
        waiting, windows = self._waiting[split]
        if not waiting:
            return
        x = windows[: len(waiting)].permute(0, 4, 1, 2, 3)
        for layer in range(split, len(self._convolutions)):
            x = self._convolve(x, layer)
        self._seen[torch.tensor(waiting, device=self.device)] = x.flatten(1).float()
        waiting.clear()

    def _batch(self, split: int) -> int:
        """Return the number of windows processed together."""
        layers, windows = self.architecture.layers, self.architecture.windows
        values = [layers[-1].channels_out]
        for layer, window in zip(layers[split:], windows[split:-1], strict=True):
            values.append(layer.channels_in * window**3)
        return max(1, BATCH_BYTES // (8 * max(values)))

    def _convolve(self, x: Tensor, layer: int, *, stride: int | None = None) -> Tensor:
        if len(x) == 1 and x[..., 0].numel() <= _SMALL:
            return self._convolve(torch.cat([x, x]), layer, stride=stride)[:1]
        weight, bias = self._convolutions[layer]
        stride = stride or self.architecture.layers[layer].stride
        return torch.conv3d(x, weight, bias, stride).relu_()

    @contextmanager
    def _settings(self, *, tf32: bool) -> Iterator[None]:
        """Set torch's switches as this evaluation needs them, and restore them afterwards."""
        cudnn = torch.backends.cudnn
        with (
            torch.inference_mode(),
            cudnn.flags(
                enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=tf32
            ),
        ):
            yield


def reference(
    network: GalaxyNetwork, tile: Array, starts: Array, features: Array, *, batch: int = 8
) -> Array:
    """Return the same predictions from a whole crop for each subhalo: slow, but short code.

    Parameters
    ----------
    network : GalaxyNetwork
        In evaluation mode.
    tile, starts, features : ndarray
        As for `SharedNetwork`; the tile must hold the crops, which may reach beyond the receptive
        field.
    batch : int
        Crops evaluated together.
    """
    side, outputs = network.architecture.crop_size, []
    with torch.inference_mode():
        for first in range(0, len(starts), batch):
            crops = np.stack(
                [
                    tile[:, i : i + side, j : j + side, k : k + side]
                    for i, j, k in starts[first : first + batch]
                ]
            )
            own = torch.from_numpy(np.asarray(features[first : first + batch], np.float32))
            outputs.append(network(torch.from_numpy(crops), own).numpy())
    return np.concatenate([np.empty((0, len(network.architecture.outputs))), *outputs])


def _linear(x: Tensor, layer: nn.Linear) -> Tensor:
    """Apply a fully connected layer, as a convolution.

    The order of sums in matrix products depends on the number of threads; in convolutions it does
    not.
    """
    one = (..., None, None, None)
    return torch.conv3d(x[one], layer.weight[one], layer.bias).flatten(1)


def _narrowed(x: Tensor, starts: Array, window: int) -> tuple[Tensor, Array]:
    """Return the part of ``x`` that windows see, and where they start in it."""
    first, last = starts.min(axis=0), starts.max(axis=0)
    (i, j, k), (to_i, to_j, to_k) = first.tolist(), (last + window).tolist()
    return x[:, :, i:to_i, j:to_j, k:to_k], starts - first
