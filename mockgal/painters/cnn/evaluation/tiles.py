"""Evaluation of the network for all subhalos of a box, tile by tile, within a memory limit.

The last bits of a tile's predictions depend on how its subhalos share work, and so on the size of
tiles, and on the machine's vector instructions. They depend on nothing else: not on the order of
rows, the number of threads, or an interruption.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .... import __version__
from ....errors import InternalError, ResourceError, UsageError, warn
from ....fields.tiles import Tile, held_bytes, tile_rows, tiles
from ....system import progress
from ....types import Scene
from ..architecture import MEAN_ONLY, OUTPUTS, Architecture
from ..inputs import Grid, channels
from ..symmetries import Symmetry, symmetries
from ..weights.named import Weights
from .shared import BATCH_BYTES, SharedNetwork
from .tile_store import TileStore, key_of

Array = NDArray[Any]

TILE_SIZES = (128, 96, 64, 48, 32, 16)
GATE = 0.01  # largest error of a lower precision, in the standardised outputs
EVALUATION = 1  # to be raised with every change of last bits
_GATE_ROWS = 4  # subhalos of each tile that the error is measured at
_ABSURD = 30.0  # standardised outputs beyond those of any trained network
_LARGEST_LOGIT = 1000.0  # massive subhalos, nearly all luminous, may well be above 30
_LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_CBWR")  # user's limits on instructions
_FAR_BELOW = 1000.0  # a mean is driven there where targets pile up at the floor (`laws.normal`)


def instructions() -> dict[str, str]:
    """Return the vector instructions that torch uses, by which oneDNN chooses convolutions."""
    limits = {name: os.environ[name] for name in _LIMITS if name in os.environ}
    return {"torch": torch.backends.cpu.get_cpu_capability(), **limits}


@dataclass
class TileEvaluation:
    """Evaluation of a network in tiles.

    Parameters
    ----------
    weights : Weights
    device, precision : str
        See `mockgal.painters.cnn.evaluation.shared.SharedNetwork`.
    average_symmetries : bool
        Average over all `symmetries`.
    memory : int
        Bytes to use, half of them for the grid of matter.
    tile_size : int or None
        Voxels along each side of a tile; None for the largest of `TILE_SIZES` that memory allows.
    scratch : Path or None
        Folder for scratch files.
    kept : Path or None
        Folder that finished tiles are stored in and read from.
    """

    weights: Weights
    device: str
    precision: str
    average_symmetries: bool
    memory: int
    tile_size: int | None = None
    scratch: Path | None = None
    kept: Path | None = None
    _sizes: dict[Grid, int] = field(default_factory=dict, init=False, repr=False)

    def tile_size_on(self, grid: Grid) -> int:
        """Return the voxels along each side of a tile.

        Raises
        ------
        ResourceError
            There is too little memory for the smallest tile.
        """
        if grid not in self._sizes:  # once, as free memory changes during the work
            self._sizes[grid] = self._tile_size_on(grid)
        return self._sizes[grid]

    def _tile_size_on(self, grid: Grid) -> int:
        shape, memory = self.weights.architecture, self.memory // 2
        if self.device != "cpu":
            memory = min(memory, torch.cuda.mem_get_info()[0])
        sizes = TILE_SIZES if self.tile_size is None else (self.tile_size,)
        for size in sizes:
            if tile_bytes(shape, grid, size) <= memory:
                return min(size, grid.size)
        raise ResourceError(
            "--memory",
            f"{self.memory} bytes, and {memory} of them for tiles",
            f"{tile_bytes(shape, grid, sizes[-1])} for tiles of {sizes[-1]} voxels on a grid of "
            f"{grid.size}, and as much for the grid",
            "give more memory, or a smaller --tile-size",
        )

    def describe(self, grid: Grid) -> dict[str, Any]:
        """Return what the last bits depend on, apart from weights and scene: JSON values."""
        sees = self.weights.architecture.sees_fields
        return {
            **({"tile_size": self.tile_size_on(grid)} if sees else {}),
            "device": self.device,
            "precision": self.precision,
            "torch": torch.__version__,
            "instructions": instructions(),
            "average_symmetries": self.average_symmetries,
        }

    def outputs(
        self, scene: Scene, grid: Grid, voxel: Array, features: Array, ids: Array
    ) -> tuple[Array, dict[str, Any]]:
        """Return the network's outputs, and counts.

        Parameters
        ----------
        scene : Scene
        grid : Grid
        voxel : ndarray of int, shape (n, 3)
            Voxel of each subhalo.
        features : ndarray, shape (n, f)
            Not standardised.
        ids : ndarray of int64, shape (n,)
            Ids of the subhalos, for messages.

        Returns
        -------
        ndarray of float64, shape (n, o)
            Standardised, in the architecture's order.
        dict
            Counts, which add up over scenes.

        Raises
        ------
        UsageError
            The error of the precision is above `GATE`.
        InternalError
            An output is not a number, or absurd.
        ResourceError
            There is too little memory.
        """
        shape = self.weights.architecture
        if not shape.sees_fields:
            output = self._only.of_features(self._standardised(features, None))
            _check_output(output, "subhalos", ids, scene, self.weights)
            return output, {}
        size = self.tile_size_on(grid)
        output, record = np.empty((len(voxel), len(shape.outputs))), {"tiles": 0}
        if not len(voxel):
            return output, record
        occupied, number = np.unique(tile_rows(voxel, size), axis=0, return_inverse=True)
        order = np.argsort(number.reshape(-1), kind="stable")
        edges = np.searchsorted(number.reshape(-1)[order], np.arange(len(occupied) + 1))
        rows = [order[first:last] for first, last in pairwise(edges.tolist())]
        record["tiles"], done, error = len(occupied), 0, 0.0
        store = None if self.kept is None else TileStore(self.kept)
        new, others = 0, store is not None and not store.is_empty
        facts = [__version__, EVALUATION, self.weights.digest(), self.describe(grid)]
        progress.advance(0, len(voxel), "painting")
        with channels(scene, self.weights, grid, self.memory // 2, self.scratch) as planes:
            stream = tiles(
                planes,
                grid_size=grid.size,
                tile_size=size,
                reach=shape.receptive_field,
                occupied=occupied,
            )
            for mine, tile in zip(rows, stream, strict=True):
                starts, own = voxel[mine] - tile.first, features[mine]
                result, key = None, ""
                if store is not None:
                    key = key_of(facts, (tile.values, starts, own))
                    result = store.get(key, (len(mine) + 1, len(shape.outputs)))
                if result is None:
                    result = self._evaluated(tile, starts, own)
                    _check_output(result[:-1], _name(tile), ids[mine], scene, self.weights)
                    new += 1
                    if store is not None:
                        store.put(key, result)
                output[mine], error = result[:-1], max(error, float(result[-1].max()))
                done += len(mine)
                progress.advance(done, len(voxel), "painting")
        if others and new == len(occupied):
            warn(
                f"{self.kept} has tiles, but none for this simulation, these weights and subhalos, "
                f"and tiles of {size}^3 voxels: all tiles were computed",
            )
        if self.precision != "float32":
            warn(
                f"convolutions in {self.precision}: errors of at most {error:.2g} in the "
                f"standardised outputs, at up to {_GATE_ROWS} subhalos of each tile",
            )
        return output, record

    def _evaluated(self, tile: Tile, starts: Array, features: Array) -> Array:
        """Return outputs for the subhalos of a tile; the last row has the precision's errors."""
        errors = np.zeros((1, len(self.weights.architecture.outputs)))
        try:
            if self.precision != "float32":
                errors[0] = self._errors(tile, starts, features)
            return np.concatenate([self._mean(tile, starts, features), errors])
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
                raise
            raise ResourceError(
                f"tile at voxel {tile.first.tolist()}",
                f"no memory for {len(starts)} subhalos ({str(error).splitlines()[0]})",
                "enough memory for the work on a tile",
                "give a smaller --memory or --tile-size",
            ) from error

    def _network(self, symmetry: Symmetry | None, precision: str) -> SharedNetwork:
        network = self.weights.network()
        return SharedNetwork(network, device=self.device, precision=precision, symmetry=symmetry)

    @cached_property
    def _only(self) -> SharedNetwork:
        return self._network(None, self.precision)

    def _mean(self, tile: Tile, starts: Array, features: Array) -> Array:
        if not self.average_symmetries:
            return self._only(tile.values, starts, self._standardised(features, None))
        total = np.zeros((len(starts), len(self.weights.architecture.outputs)))
        for symmetry in symmetries():  # one at a time: together they would fill the memory
            network = self._network(symmetry, self.precision)
            total += network(tile.values, starts, self._standardised(features, symmetry))
        return total / len(symmetries())

    def _standardised(self, features: Array, symmetry: Symmetry | None) -> Array:
        """Return standardised features for the network, with offsets turned with the crop."""
        names = self.weights.architecture.features
        value = features.copy()
        offsets = [names.index(f"offset_{axis}") for axis in "xyz" if f"offset_{axis}" in names]
        if symmetry is not None and offsets:
            value[:, offsets] = symmetry.turn_vectors(value[:, offsets])
        pairs = np.array(self.weights.normalisation.features).reshape(-1, 2)
        return np.asarray((value - pairs[:, 0]) / pairs[:, 1], dtype=np.float32)

    def _errors(self, tile: Tile, starts: Array, features: Array) -> Array:
        """Return the largest error of each output, against float32, at some subhalos of a tile."""
        some = np.unique(np.linspace(0, len(starts) - 1, _GATE_ROWS).astype(int))
        inputs = tile.values, starts[some], self._standardised(features[some], None)
        exact = self._network(None, "float32")
        errors = np.abs(self._only(*inputs) - exact(*inputs)).max(axis=0)
        if not errors.max() <= GATE:
            raise UsageError(
                "painter cnn:precision",
                f"{self.precision}, with errors of {errors.max():.2g} in the standardised outputs "
                f"of the tile at voxel {tile.first.tolist()}",
                f"at most {GATE:g}",
                "take --precision float32, which has no such errors",
            )
        return np.asarray(errors)


def tile_bytes(shape: Architecture, grid: Grid, tile_size: int) -> int:
    """Return the memory of the work on one tile, and of the planes that it is cut from."""
    size = min(tile_size, grid.size)
    extent, held, most = size, 0, 0
    for layer, window in zip(shape.layers, shape.windows[:-1], strict=True):
        side = extent + window - 1
        before = 4 * side**3 * layer.channels_in
        after = 4 * (side - layer.kernel + 1) ** 3 * layer.channels_out  # also with stride 2
        most = max(most, held + before + after)
        if layer.stride == 2:  # all grids are held while they are processed one by one
            extent, held = -(-extent // 2), held + after
    tile = 8 * (size + shape.windows[0] - 1) ** 3  # its planes, and torch's copy
    weights = 12 * shape.parameters  # the originals, folded, and as convolutions take them
    work = most + tile + 2 * BATCH_BYTES + weights
    return work + held_bytes(grid.size, size, shape.receptive_field, 2)


def _name(tile: Tile) -> str:
    return f"tile at voxel {tile.first.tolist()}"


def _check_output(output: Array, part: str, ids: Array, scene: Scene, weights: Weights) -> None:
    """Raise if an output cannot be that of a trained network."""
    least, most = np.full((2, output.shape[1]), [[-_ABSURD], [_ABSURD]])
    if weights.architecture.outputs != MEAN_ONLY:
        if weights.domain.luminosity_floor > 0:
            least[0] = -_FAR_BELOW
        logit = OUTPUTS.index("luminous_logit")
        least[logit], most[logit] = -_LARGEST_LOGIT, _LARGEST_LOGIT
    bad = np.flatnonzero(~((output >= least) & (output <= most)).all(axis=1))
    if bad.size:
        first = bad[np.argmin(ids[bad])]
        raise InternalError(
            f"simulation {scene.snapshot.name}: {part}",
            f"{bad.size} subhalos with outputs that are NaN or beyond {_ABSURD:g} standard "
            f"deviations (a logit: {_LARGEST_LOGIT:g}), the first halo_id {ids[first]}: "
            f"{output[first].tolist()}",
            "outputs of a trained network",
            "check the weights and their normalisation; --device cpu shows whether a GPU is at "
            "fault",
        )
