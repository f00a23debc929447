"""The dm2gal painter: a convolutional network that sees the matter around each subhalo.

arXiv:2012.00186; docs/explanation/network.md says where this painter differs from the paper and its
public code.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ...columns import FURTHER_TARGETS, GALAXY_COLUMNS, Column
from ...errors import DomainError, UsageError, warn
from ...laws.distribution import Distribution, inverse_cdf
from ...options import check_options, documented
from ...quantity import memory_size
from ...system.files.scratch import scratch_folder
from ...system.memory import available
from ...types import Scene
from .domain import matching, mismatch
from .evaluation.tiles import TileEvaluation
from .features import check_columns
from .inputs import Grid, features, grid_of
from .law import heaviest, law, shares
from .options import CNNOptions
from .weights.named import Weights, named_weights, outside_the_bar, shipped_weights

Array = NDArray[Any]


@documented
@dataclass(frozen=True)
class CNNPainter(CNNOptions):
    """Paints with the dm2gal network.

    Further columns are predicted given the stellar mass; the error of a lower precision is at most
    `mockgal.painters.cnn.evaluation.tiles.GATE`.
    """

    _loaded: Weights = field(init=False, repr=False, compare=False)
    _evaluation: TileEvaluation = field(init=False, repr=False, compare=False)
    _chosen: dict[str, CNNPainter] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    name: ClassVar[str] = "cnn"
    libraries: ClassVar[tuple[str, ...]] = ("torch",)
    tolerance: ClassVar[float] = 1e-4  # of outputs, if work is shared differently

    def __post_init__(self) -> None:
        check_options(self)
        if self.scratch is not None:
            scratch_folder(self.scratch, "painter cnn:scratch")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise _usage("device", "cuda, and no GPU that torch can use", "auto or cpu")
        if self.precision == "tf32" and self._kind == "cpu":
            raise _usage("precision", "tf32 on a CPU", "float32 or bfloat16")
        budget = available() // 2 if self.memory is None else memory_size("--memory", self.memory)
        given = self.weights
        if given is None:
            return  # the simulation decides
        loaded = given if isinstance(given, Weights) else named_weights(given)
        if self.average_symmetries and not loaded.architecture.is_centred:
            raise _usage(
                "average_symmetries",
                f"weights {loaded.name}, whose receptive field is not centred on the subhalo",
                "weights whose receptive field is centred",
            )
        object.__setattr__(self, "_loaded", loaded)
        evaluation = TileEvaluation(
            loaded,
            self._kind,
            self.precision,
            self.average_symmetries,
            budget,
            self.tile_size,
            *(None if folder is None else Path(folder) for folder in (self.scratch, self.resume)),
        )
        object.__setattr__(self, "_evaluation", evaluation)

    @property
    def needs(self) -> frozenset[str]:
        """What it needs of a scene: a network that sees no field needs halos alone."""
        return frozenset({"halos", "field"} if self.whole_box else {"halos"})

    @property
    def whole_box(self) -> bool:
        """Whether subhalos see their neighbours; also before the simulation has decided."""
        return self.weights is None or self._loaded.architecture.sees_fields

    @property
    def provides(self) -> tuple[Column, ...]:
        """Columns of the galaxies: those that the weights were trained on, and the flag.

        Before the simulation has decided on the weights, the columns that all weights provide; see
        `chosen`.
        """
        names = () if self.weights is None else self._loaded.architecture.further
        further = (FURTHER_TARGETS[name] for name in names)
        return (GALAXY_COLUMNS["stellar_mass"], *further, GALAXY_COLUMNS["extrapolated"])

    @property
    def references(self) -> tuple[str, ...]:
        """Sources of the painter."""
        return ("Kasmanoff et al. 2020, arXiv:2012.00186 (dm2gal)",)

    @property
    def _kind(self) -> str:
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device

    def chosen(self, scene: Scene) -> CNNPainter:
        """Return the painter with the weights used for a scene.

        Raises
        ------
        DomainError
            The painter has no weights, and none or several of those that come with mockgal are
            valid for the scene.
        """
        if self.weights is not None:
            return self
        weights = matching(scene)
        digest = weights.digest()
        if digest not in self._chosen:  # only once, as it remembers the size of its tiles
            self._chosen[digest] = replace(self, weights=weights)
        return self._chosen[digest]

    def describe(self, scene: Scene) -> dict[str, Any]:
        """Return what identifies the painter for this scene: JSON values only."""
        painter = self.chosen(scene)
        weights = painter._loaded
        grid = grid_of(scene, weights)
        return {
            "name": self.name,
            "weights": weights.name,
            "weights_digest": weights.digest(),
            "comes_with_mockgal": weights.digest() in [own.digest for own in shipped_weights()],
            "caution": weights.provenance.get("caution", ""),
            "network": weights.header_dict(),
            "luminosity_floor_msun_h": weights.domain.luminosity_floor,
            **(_grid_facts(grid) if painter.whole_box else {"matter": "none"}),
            **painter._evaluation.describe(grid),
            "deterministic": self.deterministic,
            "outside_domain": mismatch(scene, weights, grid),
            "allow_extrapolation": self.allow_extrapolation,
            "least_subhalo_mass_msun_h": weights.domain.least_subhalo_mass,
            "references": list(self.references),
        }

    def predict(self, scene: Scene) -> Distribution:
        """Predict luminous probability and law of log M* for each subhalo of ``scene``.

        Raises
        ------
        DomainError
            See `check`; or the box is smaller than the network's receptive field.
        MissingDatasetError, BadValueError
            A column that a feature needs is missing, or has zeros.
        ResourceError
            There is too little memory for the smallest tiles.
        UsageError
            The error of the precision is too large.
        InternalError
            A prediction is not a number, or no possible mass of a galaxy.
        """
        painter = self.chosen(scene)
        weights, halos = painter._loaded, scene.halos
        grid = grid_of(scene, weights)
        outside = painter.check(scene)
        rows = np.flatnonzero(halos["mass"] >= max(weights.domain.least_subhalo_mass, 5e-324))
        voxel, offset = grid.voxels(halos["position"][rows])
        values, beyond = features(scene, weights, rows, offset)
        order = np.lexsort((halos["halo_id"][rows], *voxel.T[::-1]))
        rows, voxel, values, beyond = rows[order], voxel[order], values[order], beyond[order]
        ids = halos["halo_id"][rows]
        share = np.ones(len(rows))
        if weights.target == "voxel":  # a voxel has the features of its heaviest subhalo
            share = shares(voxel, halos["mass"][rows])
            leading = heaviest(voxel, halos["mass"][rows])
            values, beyond = values[leading], beyond[leading]
        output, record = painter._evaluation.outputs(scene, grid, voxel, values, ids)
        extrapolated = np.full(len(halos), bool(outside))
        extrapolated[rows] |= beyond
        record |= {
            "not_painted_unresolved": len(halos) - len(rows),
            "outside_feature_ranges": int(np.count_nonzero(beyond)),
        }
        prediction = law(weights, len(halos), rows, output, share, extrapolated, record)
        return _without_scatter(prediction) if self.deterministic else prediction

    def check(self, scene: Scene) -> list[str]:
        """Return the reasons why the weights are not valid for ``scene``, if that is allowed.

        Warn of the weights' own caution, and of tests of their card outside the bar.

        Raises
        ------
        DomainError
            There are reasons, and ``allow_extrapolation`` is not set; or the box is smaller than
            the network's receptive field.
        MissingDatasetError
            It lacks a column that a feature needs.
        """
        painter = self.chosen(scene)
        weights = painter._loaded
        grid = grid_of(scene, weights)
        seen = weights.architecture.windows[0]
        if painter.whole_box and grid.size < seen:
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                f"a grid of {grid.size} voxels a side",
                f"at least {seen}, which the network of weights {weights.name} sees",
                "take a larger box",
            )
        check_columns(scene, weights.architecture.features, f"weights {weights.name}")
        outside = mismatch(scene, weights, grid)
        if outside and not self.allow_extrapolation:
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                "; ".join(outside),
                f"what weights {weights.name} were trained on",
                "take other weights, or --allow-extrapolation, which flags every galaxy",
            )
        if weights.provenance.get("caution"):
            warn(f"weights {weights.name}: {weights.provenance['caution']}")
        outside_bar, tests = outside_the_bar(weights.provenance.get("scores"))
        if outside_bar:
            warn(
                f"weights {weights.name}: {outside_bar} of the {tests} tests of their card are "
                "outside the bar: the card says which (`mockgal weights show` names it)",
            )
        return outside


def _grid_facts(grid: Grid) -> dict[str, Any]:
    return {
        "grid_size": grid.size,
        "voxel_size_mpc_h": grid.voxel_size,
        "matter": "density grid" if grid.given else "particles",
    }


def _without_scatter(d: Distribution) -> Distribution:
    """Replace the law by the more probable of luminous or not, and by the median stellar mass."""
    warn(
        "without a draw the galaxies have the median mass of subhalos like theirs: the "
        "stellar-mass function is biased, most so at its ends",
    )
    return replace(
        d,
        p_luminous=(d.p_luminous > 0.5).astype(np.float64),
        location=inverse_cdf(d, np.full(len(d), 0.5)),
        scale=np.ones(len(d)),
        residual_row=np.ones(len(d), dtype=np.int16),
        further={name: law._replace(scatter=np.zeros(len(d))) for name, law in d.further.items()},
    )


def _usage(key: str, found: str, expected: str) -> UsageError:
    return UsageError(
        f"painter cnn:{key}", found, expected, f"--{key.replace('_', '-')} takes that"
    )
