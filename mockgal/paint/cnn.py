"""The dm2gal painter: a convolutional network that sees the matter around each subhalo.

arXiv:2012.00186; docs/explanation/network.md says where this differs from it and its public code.
The grid is gone through tile by tile. A tile's predictions depend, in their last bits, on how its
subhalos share work and so on the size of tiles, which is chosen from the memory there is, recorded,
and can be given.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from .. import progress
from ..columns import GALAXY_COLUMNS, Column
from ..distribution import inverse_cdf
from ..errors import DomainError, InternalError, ResourceError, UsageError, warn
from ..fields.tiles import Tile, held_bytes, tile_rows, tiles
from ..memory import available
from ..quantity import memory_size
from ..types import Distribution, Scene
from .architecture import MEAN_ONLY, Architecture
from .cnn_domain import mismatch
from .cnn_inputs import Grid, channels, features, grid_of
from .halotools_quantiles import PROBABILITY, normal_quantiles
from .shared import BATCH_BYTES, PRECISIONS, SharedNetwork
from .symmetries import symmetries
from .weights import Weights, named_weights

Array = NDArray[Any]

DEVICES = ("auto", "cpu", "cuda")
TILE_SIZES = (128, 96, 64, 48, 32, 16)
GATE = 0.01  # largest error of a lower precision, in standard deviations of the target
_GATE_ROWS = 64  # subhalos that it is measured at
_LARGEST_LOG = 14.0  # of a stellar mass [Msun/h]: no galaxy has more


@dataclass(frozen=True)
class CNNPainter:
    """Paints with the dm2gal network.

    Parameters
    ----------
    weights : str, path-like or Weights
        A name from ``mockgal weights list``, or a .safetensors file. None is an error.
    allow_extrapolation : bool
        Paint simulations that differ from what the weights were trained on; recorded, and flagged
        per galaxy.
    deterministic : bool
        No draw: a galaxy where it is more probable than not, with the median of its mass.
    average_symmetries : bool
        Mean of the predictions for the 48 turned and mirrored crops, at 48 times the cost.
    device : str
        One of `DEVICES`; ``auto`` is a GPU where there is one.
    precision : str
        Of the convolutions: float32, or tf32 or bfloat16 where their error is below `GATE`.
    memory : str, optional
        Most memory to take, such as ``"4 GiB"``; half of what is free without it.
    tile_size : int, optional
        Voxels along each side of a tile; the largest of `TILE_SIZES` that memory allows without it.
    scratch : str or path-like, optional
        Folder for scratch files, where a grid does not fit in memory.
    """

    weights: str | os.PathLike[str] | Weights | None = None
    allow_extrapolation: bool = False
    deterministic: bool = False
    average_symmetries: bool = False
    device: str = "auto"
    precision: str = "float32"
    memory: str | None = None
    tile_size: int | None = None
    scratch: str | os.PathLike[str] | None = None
    _loaded: Weights = field(init=False, repr=False, compare=False)
    _budget: int = field(init=False, repr=False, compare=False)

    name: ClassVar[str] = "cnn"
    needs: ClassVar[frozenset[str]] = frozenset({"halos", "field"})
    provides: ClassVar[tuple[Column, ...]] = (
        GALAXY_COLUMNS["stellar_mass"],
        GALAXY_COLUMNS["extrapolated"],
    )
    whole_box: ClassVar[bool] = True  # subhalos see their neighbours
    tolerance: ClassVar[float] = 1e-4  # of outputs, where work is shared in another way

    def __post_init__(self) -> None:
        for key, allowed in (("device", DEVICES), ("precision", tuple(PRECISIONS))):
            if getattr(self, key) not in allowed:
                raise _usage(key, repr(getattr(self, key)), "one of " + ", ".join(allowed))
        for key in ("allow_extrapolation", "deterministic", "average_symmetries"):
            if not isinstance(getattr(self, key), bool):
                raise _usage(key, repr(getattr(self, key)), "true or false")
        if self.tile_size is not None and not (
            isinstance(self.tile_size, int) and 1 <= self.tile_size <= 512
        ):
            raise _usage("tile_size", repr(self.tile_size), "a whole number from 1 to 512")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise _usage("device", "cuda, and no GPU that torch can use", "auto or cpu")
        if self.precision == "tf32" and self._kind == "cpu":
            raise _usage("precision", "tf32 on a CPU", "float32 or bfloat16")
        given = self.weights
        if given is None:
            raise _usage("weights", "none", "weights of a network, by name or as a file")
        loaded = given if isinstance(given, Weights) else named_weights(given)
        if self.average_symmetries and not loaded.architecture.is_centred:
            raise _usage(
                "average_symmetries",
                f"weights {loaded.name}, whose receptive field is not centred on the subhalo",
                "a centred one",
            )
        budget = available() // 2 if self.memory is None else memory_size("--memory", self.memory)
        object.__setattr__(self, "_loaded", loaded)
        object.__setattr__(self, "_budget", budget)

    @property
    def references(self) -> tuple[str, ...]:
        """What the painter comes from."""
        return ("Kasmanoff et al. 2020, arXiv:2012.00186 (dm2gal)",)

    @property
    def _kind(self) -> str:
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device

    def describe(self, scene: Scene) -> dict[str, Any]:
        """What identifies the painter for this scene: JSON values only."""
        weights = self._loaded
        grid = grid_of(scene, weights)
        return {
            "name": self.name,
            "weights": weights.name,
            "weights_digest": weights.digest(),
            "network": weights.header_dict(),
            "luminosity_floor_msun_h": weights.domain.luminosity_floor,
            "grid_size": grid.size,
            "voxel_size_mpc_h": grid.voxel_size,
            "tile_size": self._tile_size(grid),
            "device": self._kind,
            "precision": self.precision,
            "torch": torch.__version__,
            "deterministic": self.deterministic,
            "average_symmetries": self.average_symmetries,
            "outside_domain": mismatch(scene, weights, grid),
            "allow_extrapolation": self.allow_extrapolation,
            "least_subhalo_mass_msun_h": weights.domain.least_subhalo_mass,
            "references": list(self.references),
        }

    def predict(self, scene: Scene) -> Distribution:
        """Luminous probability and law of log M* for each subhalo of ``scene``.

        Raises
        ------
        DomainError
            As of `check`; a box smaller than what the network sees.
        MissingDatasetError, BadValueError
            A column that a feature needs is not there, or has zeros.
        ResourceError
            Too little memory for the smallest tiles.
        UsageError
            A precision whose error is too large.
        InternalError
            A prediction that is no number, or no galaxy's mass.
        """
        weights, halos = self._loaded, scene.halos
        grid = grid_of(scene, weights)
        outside = self.check(scene)
        rows = np.flatnonzero(halos["mass"] >= max(weights.domain.least_subhalo_mass, 5e-324))
        voxel, offset = grid.voxels(halos["position"][rows])
        given, beyond = features(scene, weights, rows, offset)
        order = np.lexsort((halos["halo_id"][rows], *voxel.T[::-1]))
        rows, voxel, given, beyond = rows[order], voxel[order], given[order], beyond[order]
        output, record = self._evaluate(scene, grid, voxel, given, halos["halo_id"][rows])
        share = np.ones(len(rows))
        if weights.target == "voxel":
            share = _shares(voxel, halos["mass"][rows])
        extrapolated = np.full(len(halos), bool(outside))
        extrapolated[rows] |= beyond
        record |= {
            "not_painted_unresolved": len(halos) - len(rows),
            "outside_feature_ranges": int(np.count_nonzero(beyond)),
        }
        return self._distribution(len(halos), rows, output, share, extrapolated, record)

    def check(self, scene: Scene) -> list[str]:
        """Why the weights are not valid for ``scene``; a `DomainError` unless that is allowed."""
        weights = self._loaded
        grid = grid_of(scene, weights)
        seen = weights.architecture.windows[0]
        if grid.size < seen:
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                f"a grid of {grid.size} voxels a side",
                f"at least {seen}, which the network of weights {weights.name} sees",
                "take a larger box",
            )
        outside = mismatch(scene, weights, grid)
        if outside and not self.allow_extrapolation:
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                "; ".join(outside),
                f"what weights {weights.name} were trained on",
                "take other weights, or --allow-extrapolation, which flags every galaxy",
            )
        return outside

    def _tile_size(self, grid: Grid) -> int:
        """Voxels along each side of a tile."""
        shape = self._loaded.architecture
        sizes = TILE_SIZES if self.tile_size is None else (self.tile_size,)
        for size in sizes:
            if _tile_bytes(shape, grid, size) <= self._budget // 2:
                return min(size, grid.size)
        least = 2 * _tile_bytes(shape, grid, sizes[-1])
        raise ResourceError(
            "--memory",
            f"{self._budget} bytes",
            f"at least {least} for tiles of {sizes[-1]} voxels on a grid of {grid.size}",
            "give more, or a smaller --tile-size",
        )

    def _evaluate(
        self, scene: Scene, grid: Grid, voxel: Array, given: Array, ids: Array
    ) -> tuple[Array, dict[str, Any]]:
        """The network's outputs for subhalos in the order of their voxels, and what was counted."""
        weights, size = self._loaded, self._tile_size(grid)
        shape = weights.architecture
        output = np.empty((len(voxel), len(shape.outputs)))
        record: dict[str, Any] = {"tiles": 0}
        if not len(voxel):
            return output, record
        first, last = shape.receptive_field
        tile_of = tile_rows(voxel, size)
        occupied, number = np.unique(tile_of, axis=0, return_inverse=True)
        by_tile = np.argsort(number.reshape(-1), kind="stable")
        edges = np.searchsorted(number.reshape(-1)[by_tile], np.arange(len(occupied) + 1))
        ensemble = self._ensemble()
        scratch = None if self.scratch is None else Path(self.scratch)
        with channels(scene, weights, grid, self._budget // 2, scratch) as (planes, counted):
            record |= _numbers(counted)
            stream = tiles(
                planes,
                grid_size=grid.size,
                tile_size=size,
                reach=(first, last),
                occupied=occupied,
            )
            progress.advance(0, len(voxel), "painting")
            for tile, (begin, end) in zip(stream, pairwise(edges), strict=True):
                mine = by_tile[begin:end]
                starts = voxel[mine] - tile.first
                if self.precision != "float32" and not record["tiles"]:
                    self._check_precision(ensemble[0], tile, starts, given[mine])
                output[mine] = sum(
                    network(tile.values, starts, self._standardised(given[mine], network))
                    for network in ensemble
                ) / len(ensemble)
                _check_output(output[mine], tile, ids[mine], scene)
                record["tiles"] += 1
                progress.advance(int(end), len(voxel), "painting")
        return output, record

    def _ensemble(self) -> list[SharedNetwork]:
        chosen = symmetries() if self.average_symmetries else [None]
        options: dict[str, Any] = {"device": self._kind, "precision": self.precision}
        network = self._loaded.network()
        return [SharedNetwork(network, symmetry=symmetry, **options) for symmetry in chosen]

    def _standardised(self, given: Array, network: SharedNetwork) -> Array:
        """Features as the network takes them, offsets turned with the crop."""
        names, symmetry = self._loaded.architecture.features, network.symmetry
        value = given.copy()
        offsets = [names.index(f"offset_{axis}") for axis in "xyz" if f"offset_{axis}" in names]
        if symmetry is not None and offsets:
            value[:, offsets] = symmetry.turn_vectors(value[:, offsets])
        pairs = np.array(self._loaded.normalisation.features).reshape(-1, 2)
        return np.asarray((value - pairs[:, 0]) / pairs[:, 1], dtype=np.float32)

    def _check_precision(
        self, network: SharedNetwork, tile: Tile, starts: Array, given: Array
    ) -> None:
        """Compare with float32 at some subhalos of the first tile."""
        some = slice(0, _GATE_ROWS)
        inputs = tile.values, starts[some], self._standardised(given[some], network)
        exact = SharedNetwork(self._loaded.network(), device=self._kind, symmetry=network.symmetry)
        error = float(np.abs(network(*inputs) - exact(*inputs)).max())
        if not error <= GATE:
            raise _usage(
                "precision",
                f"{self.precision}, with errors of {error:.2g} standard deviations of the target",
                f"at most {GATE:g}; float32 has none",
            )
        warn(
            f"convolutions in {self.precision}: errors of at most {error:.2g} standard deviations "
            f"of the target at {len(starts[some])} subhalos of the first tile",
            stacklevel=4,
        )

    def _distribution(
        self,
        n: int,
        rows: Array,
        output: Array,
        share: Array,
        extrapolated: Array,
        record: dict[str, Any],
    ) -> Distribution:
        """The prediction for n subhalos, of which ``rows`` have an output."""
        weights = self._loaded
        mean, deviation = weights.normalisation.target
        luminosity_floor = weights.domain.luminosity_floor
        floor = math.log10(luminosity_floor) if luminosity_floor > 0 else -math.inf
        p, location, scale = np.zeros(n), np.zeros(n), np.ones(n)
        certain = np.ones(n, dtype=np.int16)
        found = mean + deviation * output[:, 0]
        if weights.target == "voxel":  # log10 (1 + M) of all galaxies in the voxel
            found = np.log10(np.maximum(share * (10.0**found - 1.0), 1e-300))
        location[rows] = found
        if weights.architecture.outputs == MEAN_ONLY:
            p[rows] = found >= floor
            record["below_floor"] = int(np.count_nonzero(found < floor))
        else:
            certain[rows] = 0
            scale[rows] = deviation * np.exp(output[:, 1])
            p[rows] = 1.0 / (1.0 + np.exp(-output[:, 2]))
        made = Distribution(
            p_luminous=p,
            location=location,
            scale=scale,
            residual_row=certain,
            residual_probability=PROBABILITY,
            residual_quantiles=np.vstack([normal_quantiles(), np.zeros(len(PROBABILITY))]),
            floor=floor,
            extrapolated=extrapolated,
            record=record,
        )
        return _without_scatter(made) if self.deterministic else made


def _without_scatter(d: Distribution) -> Distribution:
    """The most probable of being luminous or not, and the median of the stellar mass."""
    warn(
        "without a draw the galaxies have the median mass of subhalos like theirs: the "
        "stellar-mass function is biased, most so at its ends",
        stacklevel=4,
    )
    return replace(
        d,
        p_luminous=(d.p_luminous > 0.5).astype(np.float64),
        location=inverse_cdf(d, np.full(len(d), 0.5)),
        scale=np.ones(len(d)),
        residual_row=np.ones(len(d), dtype=np.int16),
    )


def _shares(voxel: Array, mass: Array) -> Array:
    """Each subhalo's part of the mass of those in its voxel; rows of a voxel follow each other."""
    new = np.ones(len(voxel), dtype=bool)
    new[1:] = (voxel[1:] != voxel[:-1]).any(axis=1)
    group = np.cumsum(new) - 1
    return np.asarray(mass / np.bincount(group, mass)[group]) if len(voxel) else np.ones(0)


def _tile_bytes(shape: Architecture, grid: Grid, tile_size: int) -> int:
    """Memory of the work on one tile, and of the planes that it is cut from."""
    size = min(tile_size, grid.size)
    sides = np.array(shape.windows, dtype=np.float64) + size - 1
    widths = [2, *(layer.channels_out for layer in shape.layers)]
    at_once = max(
        4 * (a**3 * b + (c / layer.stride) ** 3 * d)
        for a, b, c, d, layer in zip(
            sides, widths, sides[:-1], widths[1:], shape.layers, strict=False
        )
    )
    return int(at_once) + 2 * BATCH_BYTES + held_bytes(grid.size, size, shape.receptive_field, 2)


def _check_output(output: Array, tile: Tile, ids: Array, scene: Scene) -> None:
    bad = np.flatnonzero(~np.isfinite(output).all(axis=1))
    if bad.size:
        raise InternalError(
            f"simulation {scene.snapshot.name}: tile at voxel {tile.first.tolist()}",
            f"{bad.size} predictions that are no numbers, the first for halo_id {ids[bad].min()}",
            "finite predictions",
            "check the weights; --device cpu tells whether the GPU is at fault",
        )


def _numbers(counted: dict[str, Any]) -> dict[str, Any]:
    """What was counted of the fields, as flat numbers that add up over tiles."""
    subhalos = counted["subhalo_field"]
    return {"subhalos_in_field": subhalos["subhalos"]}


def _usage(key: str, found: str, expected: str) -> UsageError:
    return UsageError(
        f"painter cnn:{key}", found, expected, f"--{key.replace('_', '-')} takes that"
    )
