"""Train weights of the dm2gal network on pairs of runs: `mockgal train`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError, listening, renamed
from ..options import check_names
from ..protocols import spelled_out
from ..types import Scene
from .calibrate import LEAST_PARTICLES, Run, Stars, paths_of
from .evaluate import card_of, held_against, held_out
from .pairs import (
    FilePath,
    Pair,
    check_together,
    chosen_scheme,
    chosen_voxel_size,
    domain_of,
    fields_key,
    paired,
    read_pairs,
    runs_of,
    samples_of,
    told_the_redshift,
    volumes_of,
)

if TYPE_CHECKING:
    from ..painters.cnn.architecture import Architecture
    from ..painters.cnn.weights.named import Weights
    from ..training.data.field_files import Place
    from ..training.data.samples import Samples
    from ..training.request import Request

Array = NDArray[Any]

SPLIT_OPTIONS = ("kind", "validation", "test", "side")
SCORES = (
    *("seed", "subhalos", "luminous_subhalos", "loss", "residuals", "luminous", "power", "mass"),
    "further",
)
CARD, SPLIT, FOLDER = ".card.md", ".split.png", ".training"  # after the name of the weights


@spelled_out
@renamed(density="matter")
def train(
    dark: Run | Sequence[Run],
    hydro: Stars | Sequence[Stars],
    out: str | os.PathLike[str],
    *,
    seed: int,
    matter: FilePath | Sequence[FilePath] = (),
    preset: str | Architecture = "centred",
    width: int | None = None,
    features: str | Sequence[str] | None = None,
    target: str = "stellar_mass",
    voxel_size: float | str | None = None,
    grid_size: int | None = None,
    sampling: str | None = None,
    luminosity_floor: float | str | None = None,
    least_particles: int = LEAST_PARTICLES,
    match: str | None = None,
    search: int | None = None,
    name: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int, str], object] | None = None,
    split: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    **options: Any,
) -> Weights:
    """Train the dm2gal network on one pair of runs, or on several together.

    If a training was interrupted, the same call continues it. On a CPU with the same number of
    threads, the resulting weights are the same.

    Parameters
    ----------
    dark, hydro : path-like, Scene, or sequence of these
        Gravity-only runs with their particles or density, and their hydrodynamic twins in the same
        order. In place of a twin, a `mockgal.Truth`: galaxies on the subhalos of the gravity-only
        run.
    out : path-like
        File of the weights, ``.safetensors``. Two files are written beside it, with endings added
        to its name: a card with the scores on held-out subhalos (``.card.md``), and a picture of
        what was held out (``.split.png``).
    seed : int
        Seed of the initial weights, the order of subhalos, the symmetries and the draws of the
        card.
    matter : path-like, or sequence of these
        Matter of the gravity-only runs, in their order, used instead of their own: particles or
        density grids (see `mockgal.read`).
    preset : str or Architecture
        A key of `mockgal.painters.cnn.architecture.PRESETS`, or an architecture, which has its own
        width.
    width : int, optional
        Channels of the preset's first stage; 16 by default.
    features : str or sequence of str, optional
        What the network is told of each subhalo: columns of halos, ``offset`` from the centre of
        its voxel, and ``default`` for those of the preset, which are also taken if nothing is
        given. A simulation that is painted must have these columns.
    target : str
        ``stellar_mass`` of the galaxy matched with each gravity-only subhalo, optionally followed
        by other columns of its subhalo, separated by commas
        (`mockgal.training.data.targets.targets_of`); or ``voxel``, the stellar mass in the
        subhalo's voxel, as in arXiv:2012.00186.
    voxel_size : float or str, optional
        Side of a voxel in comoving Mpc/h, or a text with a unit. If neither this nor ``grid_size``
        is given, see `mockgal.tasks.pairs.chosen_voxel_size`.
    grid_size : int, optional
        Number of voxels along a side of the first box, instead of ``voxel_size``.
    sampling : str, optional
        How often subhalos are shown, a key of `mockgal.training.request.SAMPLING`. The default is
        ``target`` for a network that predicts only the mean, as in arXiv:2012.00186, and otherwise
        ``input``, which preserves the distribution at given inputs.
    luminosity_floor : float or str, optional
        Least stellar mass that counts as luminous, in Msun/h or a text with a unit. The default is
        10 star particles of the hydrodynamic run.
    least_particles : int
        Least number of gravity-only particles of a subhalo that is deposited and trained on.
    match : str, optional
        How subhalos are matched; see `mockgal.calibration.matching.match.match`.
    search : int, optional
        Train this number of networks, searching for the values of
        `mockgal.training.search.Ranges`, and keep the best. A value that is given here, or by an
        architecture, is not searched for.
    name : str, optional
        Name of the weights; by default the name of the file.
    folder : path-like, optional
        Folder for checkpoints and logs and, until training is done, the fields of the runs. The
        default is ``out`` with ``.training`` added to its name.
    provenance : mapping, optional
        Stored with the weights: ``summary``, ``caution``, ``citation`` or any other key.
    overwrite : bool
        Replace the weights, their card and the picture.
    progress : callable, optional
        Called with (done, total, what).
    split : mapping, optional
        ``kind``, ``validation``, ``test``, ``side`` of `mockgal.training.data.split.split_of`.
    training : mapping, optional
        Fields of `mockgal.training.options.TrainingOptions`, such as ``epochs``.
    **options
        See `mockgal.read`.

    Returns
    -------
    Weights
        Their provenance has the runs, their files, the matching, the split and the scores.

    Raises
    ------
    UsageError
        If the packages of the extra ``train`` are not installed, an option is not allowed, or an
        output exists.
    MockgalError
        If runs are not twins or cannot be combined, if regions overlap, or if
        `mockgal.training.loop.train` raises.

    Examples
    --------
    >>> weights = mockgal.train(  # doctest: +SKIP
    ...     "dark/groups_099", "hydro/groups_099", "net.safetensors", seed=1, preset="demo"
    ... )
    >>> sim = mockgal.read("dark/groups_099")  # doctest: +SKIP
    >>> mock = mockgal.paint(sim, "cnn", seed=1, weights=weights)  # doctest: +SKIP
    """
    from ..system.progress import shown
    from ..training.data import field_files
    from ..training.devices import fabric_of, is_first_process
    from ..training.evaluation.scores import evaluate as scores_of
    from ..training.folder import own_folder
    from ..training.request import Request

    inputs = [*runs_of(dark), *runs_of(hydro), *runs_of(matter)]
    outputs = _Outputs.of(out, overwrite, paths_of(inputs))
    request = Request.of(
        seed=seed,
        preset=preset,
        width=width,
        features=features,
        target=target,
        sampling=sampling,
        search=search,
        training=training or {},
    )
    fabric_of(request.options, launch=False)
    rows = _Rows(voxel_size, grid_size, luminosity_floor, least_particles, match, split or {})
    where = outputs.training if folder is None else Path(folder)
    with shown(progress), own_folder(where), listening() as told:
        runs = read_pairs(dark, hydro, options, matter)
        request = replace(request, architecture=told_the_redshift(request.architecture, runs))
        made = _prepared(runs, request, rows, _Fields(where, runs_of(dark), options))
        about = made.about(name or outputs.weights.stem, provenance or {}, told)
        _check_test_rows(made.samples, request.architecture, about)
        weights = _trained(made.samples, request, where, about)
        scores = scores_of(weights, made.samples, seed=request.options.seed)
        weights = _with(
            weights=weights,
            scores={key: scores[key] for key in SCORES} | {"pit": _pit_tests(scores["pit"])},
        )
        if is_first_process():
            runs_held = held_against(made.pairs, held_out(made.samples))
            facts = scores | {"weights_digest": weights.digest()} | runs_held
            outputs.write(weights, card_of(weights, facts), made.samples)
            field_files.cleared(where)
    return weights


@dataclass(frozen=True)
class _Outputs:
    """The output files of a training: no input among them, and none exists unless overwritten."""

    weights: Path
    overwrite: bool

    @classmethod
    def of(cls, out: FilePath, overwrite: bool, inputs: Sequence[Path]) -> _Outputs:
        from ..system.files.atomic import check_output

        path = Path(out)
        if path.suffix != ".safetensors":
            raise UsageError(path, f"extension {path.suffix!r}", ".safetensors", "name it so")
        outputs = cls(path, overwrite)
        for each in (path, outputs.card, outputs.picture):
            check_output(each, overwrite, inputs)
        return outputs

    @property
    def card(self) -> Path:
        return self._beside(CARD)

    @property
    def picture(self) -> Path:
        return self._beside(SPLIT)

    @property
    def training(self) -> Path:
        """The default folder of the training."""
        return self._beside(FOLDER)

    def _beside(self, ending: str) -> Path:
        return self.weights.with_name(self.weights.name + ending)

    def write(self, weights: Weights, card: str, samples: Samples) -> None:
        from ..painters.cnn.weights.named import save_weights
        from ..reports.figures import save_figure
        from ..system.files.atomic import atomic_output
        from ..training.evaluation.draw_split import draw_split

        save_weights(weights, self.weights, overwrite=self.overwrite)
        with atomic_output(self.card, overwrite=self.overwrite) as temporary:
            temporary.write_text(card, encoding="utf-8")
        save_figure(draw_split(samples), self.picture, overwrite=self.overwrite)


@dataclass(frozen=True)
class _Rows:
    """The choice of subhalos and of the grid; see `train`."""

    voxel_size: float | str | None
    grid_size: int | None
    luminosity_floor: float | str | None
    least_particles: int
    match: str | None
    split: Mapping[str, Any]

    def __post_init__(self) -> None:
        least = self.least_particles
        if type(least) is not int or not 1 <= least <= 1_000_000:
            raise UsageError("least particles", f"{least!r}", "a whole number from 1 on")
        check_names("split", self.split, SPLIT_OPTIONS)

    def least_mass(self, runs: Sequence[tuple[Scene, Scene]]) -> float:
        """Return the least mass of a subhalo with enough particles in the coarsest run [Msun/h]."""
        particle = max(dark.snapshot.particle_mass or 0.0 for _, dark in runs)
        return (self.least_particles - 0.5) * particle


class _Fields(NamedTuple):
    """The folder of the fields, and what the fields depend on."""

    folder: Path
    runs: Sequence[Run]
    options: Mapping[str, Any]

    def places(
        self, pairs: Sequence[Pair], grid: Mapping[str, Any], sizes: list[int]
    ) -> list[Place]:
        from ..training.folder import places

        keys = [
            None if isinstance(run, Scene) else fields_key(pair, grid, self.options)
            for pair, run in zip(pairs, self.runs, strict=True)
        ]
        return places(self.folder, keys, sizes)


def _trained(samples: Samples, request: Request, folder: Path, about: Mapping[str, Any]) -> Weights:
    """Return the weights of one training, or the best weights of a search."""
    from ..training import loop
    from ..training.search import search

    network, options = request.architecture, request.options
    if request.search is None:
        return loop.train(samples, network, options, folder, **about)
    found = search(
        samples, network, options, folder, request.search, ranges=request.ranges, **about
    )
    return _with(weights=found.weights, search=found.table)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """The input of the training: pairs, samples, header of the weights, chances of the rows."""

    pairs: list[Pair]
    samples: Samples
    header: dict[str, Any]
    data: dict[str, Any]
    chances: dict[str, Array]

    def about(
        self, name: str, provenance: Mapping[str, Any], warnings: Sequence[str]
    ) -> dict[str, Any]:
        """Return the arguments of a training that come from its data, beside the samples.

        Only warnings up to now are recorded: later ones concern the training, not the weights.
        """
        recorded = {**provenance, "training_data": self.data, "warnings": list(warnings)}
        return {**self.header, "name": name, "provenance": recorded, **self.chances}


def _prepared(
    runs: Sequence[tuple[Any, Any]], request: Request, rows: _Rows, fields: _Fields
) -> _Prepared:
    from .. import __version__
    from ..calibration.floor import floor_of
    from ..training.data.samples import TRAIN, normalisation_of
    from ..training.data.split import Box, split_of
    from ..training.data.volumes import checked_grid, grid_of_features
    from ..training.request import SAMPLING

    network = request.architecture
    floor, stated = floor_of(rows.luminosity_floor, runs)
    fields_seen = network.sees_fields
    voxel_size, why = chosen_voxel_size(runs[0][1], rows.voxel_size, rows.grid_size, fields_seen)
    least_mass = rows.least_mass(runs)
    pairs = [
        paired(
            hydro,
            dark,
            floor=floor,
            least_mass=least_mass,
            method=rows.match,
            further=network.further,
        )
        for hydro, dark in runs
    ]
    check_together(runs)
    scheme: dict[str, Any] = {"voxel_size": voxel_size, **chosen_scheme(runs[0][1], voxel_size)}
    sizes = [
        checked_grid(pair.dark, **scheme).size
        if fields_seen
        else grid_of_features(pair.dark, voxel_size).size
        for pair in pairs
    ]
    boxes = [
        Box(pair.dark.snapshot.name, size, ()) for pair, size in zip(pairs, sizes, strict=True)
    ]
    split = split_of(boxes, network.crop_size, **rows.split)  # refused before fields are made
    grid = scheme | {"least_subhalo_mass": least_mass}
    places = fields.places(pairs, grid, sizes) if fields_seen else []
    volumes = volumes_of(pairs, grid, places, fields=fields_seen)
    samples, left_out = _that_can_be_learnt(
        samples_of(
            pairs, volumes, target=request.target, floor=floor, architecture=network, split=split
        ),
        network,
    )
    trained_on = samples.rows(TRAIN)
    header = {
        "domain": domain_of(pairs, volumes, samples, floor, network.features),
        "normalisation": normalisation_of(samples, trained_on, network),
        "target": request.target,
    }
    data = {
        "pairs": [dict(pair.record) for pair in pairs],
        "voxel_size": why,
        "luminosity_floor": stated,
        "least_particles": rows.least_particles,
        "sampling": SAMPLING[request.sampling],
        "not_luminous_and_not_trained_on": left_out,
        "version": __version__,
    }
    return _Prepared(pairs, samples, header, data, _chances(samples, trained_on, request.sampling))


def _chances(samples: Samples, rows: Array, how: str) -> dict[str, Array]:
    """Return ``sampling`` and ``loss_weights`` of `mockgal.training.loop.train`, where needed.

    Neither is needed where all subhalos are drawn alike.
    """
    from ..training.data import sampling

    if how == "natural":
        return {}
    makers = {"target": sampling.target_weights, "corrected": sampling.corrected_weights}
    found = {"sampling": makers.get(how, sampling.input_weights)(samples, rows)}
    if how == "corrected":
        found["loss_weights"] = sampling.count_correction(found["sampling"])
    for name, values in found.items():
        found[name] = np.zeros(len(samples))
        found[name][rows] = values
    return found


def _that_can_be_learnt(samples: Samples, architecture: Architecture) -> tuple[Samples, int]:
    """Drop dark subhalos from the training part for a network that predicts only the mean.

    Return the samples and the number of subhalos dropped.
    """
    from ..painters.cnn.architecture import MEAN_ONLY
    from ..training.data.samples import TRAIN

    if architecture.outputs != MEAN_ONLY:
        return samples, 0
    kept = samples.luminous | (samples.part != TRAIN)
    names = ("volume", "voxel", "halo_id", "features", "log_stellar_mass", "mass", "part")
    columns = {name: getattr(samples, name)[kept] for name in names}
    return replace(samples, **columns), int(np.sum(~kept))


def _check_test_rows(
    samples: Samples, architecture: Architecture, about: Mapping[str, Any]
) -> None:
    """Raise, before training, if the test part of the split is too small for a card."""
    from ..errors import BadValueError
    from ..painters.cnn.weights.header import WeightsHeader
    from ..training.data.samples import TEST
    from ..training.evaluation.scores import POWER_RANGE
    from ..training.evaluation.selection import PowerComparison

    rows = samples.rows(TEST)
    if not samples.luminous[rows].any():
        raise BadValueError(
            "held-out rows",
            f"{len(rows)} subhalos for the test, none of them with a galaxy",
            "at least one with a galaxy",
            "split the runs in another way, or lower the luminosity floor",
        )
    names = ("name", "domain", "normalisation", "target", "provenance")
    header = WeightsHeader(architecture=architecture, **{name: about[name] for name in names})
    PowerComparison(samples, rows, header, power_range=POWER_RANGE)


def _with(*, weights: Weights, **more: Any) -> Weights:
    """Return the weights with additional provenance."""
    return replace(weights, provenance={**weights.provenance, **more})


def _pit_tests(pit: Mapping[str, Any] | None) -> Any:
    return None if pit is None else pit["kolmogorov_smirnov"]
