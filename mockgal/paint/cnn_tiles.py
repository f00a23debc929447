"""The network at all subhalos of a box, tile by tile, within a given memory.

A tile's predictions depend, in their last bits, on how its subhalos share work and so on the size
of tiles. Nothing else changes them: no order of rows, number of threads, or stop and resumption.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import progress
from ..errors import InternalError, ResourceError, UsageError, warn
from ..fields.tiles import Tile, held_bytes, tile_rows, tiles
from ..types import Scene
from .architecture import Architecture
from .cnn_inputs import Grid, channels
from .shared import BATCH_BYTES, SharedNetwork
from .symmetries import symmetries
from .tile_store import TileStore
from .weights import Weights

Array = NDArray[Any]

TILE_SIZES = (128, 96, 64, 48, 32, 16)
GATE = 0.01  # largest error of a lower precision, in standard deviations of the target
_GATE_ROWS = 64  # subhalos that it is measured at


@dataclass(frozen=True)
class TileEvaluation:
    """How the network is evaluated.

    Parameters
    ----------
    weights : Weights
    device, precision : str
        As of `mockgal.paint.shared.SharedNetwork`.
    average_symmetries : bool
        Mean over all `symmetries`.
    memory : int
        Bytes to take, half of them for the grid of matter.
    tile_size : int or None
        Voxels along each side of a tile; None for the largest of `TILE_SIZES` that memory allows.
    scratch : Path or None
        Folder for scratch files.
    kept : Path or None
        Folder that finished tiles are kept in, and taken from.
    """

    weights: Weights
    device: str
    precision: str
    average_symmetries: bool
    memory: int
    tile_size: int | None = None
    scratch: Path | None = None
    kept: Path | None = None

    def tile_size_on(self, grid: Grid) -> int:
        """Voxels along each side of a tile.

        Raises
        ------
        ResourceError
            Memory is too small for the smallest.
        """
        shape = self.weights.architecture
        sizes = TILE_SIZES if self.tile_size is None else (self.tile_size,)
        for size in sizes:
            if tile_bytes(shape, grid, size) <= self.memory // 2:
                return min(size, grid.size)
        raise ResourceError(
            "--memory",
            f"{self.memory} bytes",
            f"at least {2 * tile_bytes(shape, grid, sizes[-1])} for tiles of {sizes[-1]} voxels "
            f"on a grid of {grid.size}",
            "give more, or a smaller --tile-size",
        )

    def describe(self, grid: Grid) -> dict[str, Any]:
        """What the last bits depend on, apart from weights and scene: JSON values."""
        import torch

        return {
            "tile_size": self.tile_size_on(grid),
            "device": self.device,
            "precision": self.precision,
            "torch": torch.__version__,
            "average_symmetries": self.average_symmetries,
        }

    def outputs(
        self, scene: Scene, grid: Grid, voxel: Array, features: Array, ids: Array
    ) -> tuple[Array, dict[str, Any]]:
        """The network's outputs, and what was counted.

        Parameters
        ----------
        scene : Scene
        grid : Grid
        voxel : ndarray of int, shape (n, 3)
            Of each subhalo.
        features : ndarray, shape (n, f)
            Not standardised.
        ids : ndarray of int64, shape (n,)
            For messages.

        Returns
        -------
        ndarray of float64, shape (n, o)
            Standardised, in the architecture's order.
        dict
            Numbers that add up over scenes.

        Raises
        ------
        UsageError
            A precision whose error is above `GATE`.
        InternalError
            An output that is no number.
        """
        shape, size = self.weights.architecture, self.tile_size_on(grid)
        output, record = np.empty((len(voxel), len(shape.outputs))), {"tiles": 0}
        if not len(voxel):
            return output, record
        occupied, number = np.unique(tile_rows(voxel, size), axis=0, return_inverse=True)
        order = np.argsort(number.reshape(-1), kind="stable")
        edges = np.searchsorted(number.reshape(-1)[order], np.arange(len(occupied) + 1))
        rows = [order[first:last] for first, last in pairwise(edges.tolist())]
        record["tiles"], done = len(occupied), 0
        store = None if self.kept is None else TileStore(self.kept, self._key(scene, grid, ids))
        left = []
        for k, mine in enumerate(rows):
            found = None if store is None else store.get(k, (len(mine), len(shape.outputs)))
            if found is None:
                left.append(k)
            else:
                output[mine] = found
                done += len(mine)
        progress.advance(done, len(voxel), "painting")
        if not left:
            return output, record
        ensemble = self._ensemble()
        with channels(scene, self.weights, grid, self.memory // 2, self.scratch) as planes:
            stream = tiles(
                planes,
                grid_size=grid.size,
                tile_size=size,
                reach=shape.receptive_field,
                occupied=occupied[left],
            )
            for k, tile in zip(left, stream, strict=True):
                mine = rows[k]
                starts = voxel[mine] - tile.first
                if k == left[0] and self.precision != "float32":
                    self._check_precision(ensemble[0], tile, starts, features[mine])
                output[mine] = self._mean(ensemble, tile, starts, features[mine])
                _check_output(output[mine], tile, ids[mine], scene)
                if store is not None:
                    store.put(k, output[mine])
                done += len(mine)
                progress.advance(done, len(voxel), "painting")
        return output, record

    def _key(self, scene: Scene, grid: Grid, ids: Array) -> str:
        """What the outputs depend on."""
        matter = [(file.size, file.digest) for file in scene.snapshot.source]
        facts = [self.weights.digest(), self.describe(grid), scene.halos.digest(), grid, matter]
        text = json.dumps([*facts, scene.snapshot.facts(), len(ids)])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _ensemble(self) -> list[SharedNetwork]:
        chosen = symmetries() if self.average_symmetries else [None]
        network = self.weights.network()
        return [
            SharedNetwork(network, device=self.device, precision=self.precision, symmetry=symmetry)
            for symmetry in chosen
        ]

    def _mean(
        self, ensemble: list[SharedNetwork], tile: Tile, starts: Array, features: Array
    ) -> Array:
        total = sum(
            network(tile.values, starts, self._standardised(features, network))
            for network in ensemble
        )
        return np.asarray(total / len(ensemble))

    def _standardised(self, features: Array, network: SharedNetwork) -> Array:
        """Features as the network takes them, offsets turned with the crop."""
        names, symmetry = self.weights.architecture.features, network.symmetry
        value = features.copy()
        offsets = [names.index(f"offset_{axis}") for axis in "xyz" if f"offset_{axis}" in names]
        if symmetry is not None and offsets:
            value[:, offsets] = symmetry.turn_vectors(value[:, offsets])
        pairs = np.array(self.weights.normalisation.features).reshape(-1, 2)
        return np.asarray((value - pairs[:, 0]) / pairs[:, 1], dtype=np.float32)

    def _check_precision(
        self, network: SharedNetwork, tile: Tile, starts: Array, features: Array
    ) -> None:
        """Compare with float32 at some subhalos of a tile."""
        some = slice(0, _GATE_ROWS)
        inputs = tile.values, starts[some], self._standardised(features[some], network)
        exact = SharedNetwork(self.weights.network(), device=self.device, symmetry=network.symmetry)
        error = float(np.abs(network(*inputs) - exact(*inputs)).max())
        if not error <= GATE:
            raise UsageError(
                "painter cnn:precision",
                f"{self.precision}, with errors of {error:.2g} standard deviations of the target",
                f"at most {GATE:g}",
                "--precision float32 has none",
            )
        warn(
            f"convolutions in {self.precision}: errors of at most {error:.2g} standard deviations "
            f"of the target at {len(starts[some])} subhalos of one tile",
            stacklevel=5,
        )


def tile_bytes(shape: Architecture, grid: Grid, tile_size: int) -> int:
    """Memory of the work on one tile, and of the planes that it is cut from."""
    size = min(tile_size, grid.size)
    extent, held, most = size, 0, 0
    for layer, window in zip(shape.layers, shape.windows[:-1], strict=True):
        side = extent + window - 1
        before = 4 * side**3 * layer.channels_in
        after = 4 * (side - layer.kernel + 1) ** 3 * layer.channels_out  # also with stride 2
        most = max(most, held + before + after)
        if layer.stride == 2:  # all grids are held while one after the other is taken on
            extent, held = -(-extent // 2), held + after
    return most + 2 * BATCH_BYTES + held_bytes(grid.size, size, shape.receptive_field, 2)


def _check_output(output: Array, tile: Tile, ids: Array, scene: Scene) -> None:
    bad = np.flatnonzero(~np.isfinite(output).all(axis=1))
    if bad.size:
        raise InternalError(
            f"simulation {scene.snapshot.name}: tile at voxel {tile.first.tolist()}",
            f"{bad.size} predictions that are no numbers, the first for halo_id {ids[bad].min()}",
            "finite predictions",
            "check the weights; --device cpu tells whether the GPU is at fault",
        )
