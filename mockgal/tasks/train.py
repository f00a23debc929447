"""Joins the rooms that make weights of the dm2gal network from pairs of runs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError, listening
from ..painters.choose import check_options
from ..protocols import spelled_out
from ..types import Scene
from .calibrate import LEAST_PARTICLES
from .evaluate import card_of, held_against, held_out
from .pairs import (
    FilePath,
    Pair,
    Run,
    check_together,
    chosen_scheme,
    chosen_voxel_size,
    domain_of,
    fields_key,
    paired,
    paths_of,
    read_pairs,
    runs_of,
    samples_of,
    told_the_redshift,
    volumes_of,
)

if TYPE_CHECKING:
    from ..painters.cnn.architecture import Architecture
    from ..painters.cnn.weights.named import Weights
    from ..training.data.samples import Samples
    from ..training.options import TrainingOptions
    from ..training.search import Ranges

Array = NDArray[Any]

SAMPLING = {
    "target": "1/count in 100 bins of log10 of stellar mass",
    "corrected": "1/count in 100 bins of log10 of stellar mass, dark subhalos as often as they "
    "are, and the loss corrected for it",
    "input": "1/count in 100 bins of log10 of the subhalo's bound mass",
    "natural": "each subhalo once an epoch",
}
WIDTH = 16
SPLIT_OPTIONS = ("kind", "validation", "test", "side")
SCORES = (
    *("seed", "subhalos", "luminous_subhalos", "loss", "residuals", "luminous", "power", "mass"),
    "further",
)
CARD, SPLIT, FOLDER = ".card.md", ".split.png", ".training"  # after the name of the weights


@spelled_out
def train(
    dark: Run | Sequence[Run],
    hydro: Run | Sequence[Run],
    out: str | os.PathLike[str],
    *,
    seed: int,
    density: FilePath | Sequence[FilePath] = (),
    preset: str | Architecture = "centred",
    width: int | None = None,
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

    The same call goes on with a training that was stopped, to the same weights (on a CPU, with as
    many threads).

    Parameters
    ----------
    dark, hydro : path-like, Scene, or sequence of these
        Gravity-only runs with their particles or density, and their hydrodynamic twins, in one
        order.
    out : path-like
        The weights' file, ``.safetensors``; a card with their scores on held-out subhalos is
        written beside it, with ``.card.md`` after its name, and with ``.split.png`` a picture of
        what was held out.
    seed : int
        Of the first weights, the order of subhalos, the symmetries and the draws of the card.
    density : path-like, or sequence of these
        Density grids of the matter of the gravity-only runs, in their order, where there are no
        particles, or in place of them (see `mockgal.read`).
    preset : str or Architecture
        A key of `mockgal.painters.cnn.architecture.PRESETS`, or an architecture; that has its own
        width.
    width : int, optional
        Channels of the preset's first stage; by default 16.
    target : str
        ``stellar_mass`` of the galaxy that is matched with each gravity-only subhalo, and after it,
        with commas between, other columns of its subhalo
        (`mockgal.training.data.targets.targets_of`); or ``voxel``: the stellar mass in the
        subhalo's voxel, as arXiv:2012.00186.
    voxel_size : float or str, optional
        In Mpc/h, or a text with a unit. Without it and ``grid_size`` see
        `mockgal.tasks.pairs.chosen_voxel_size`.
    grid_size : int, optional
        Voxels along a side of the first box, instead.
    sampling : str, optional
        A key of `SAMPLING`: how often subhalos are shown. By default ``target`` for a network that
        gives the mean alone, as arXiv:2012.00186, else ``input``, which leaves the distribution at
        given inputs as it is.
    luminosity_floor : float or str, optional
        Least stellar mass that counts as luminous: in Msun/h, or a text with a unit. By default
        that of 10 star particles of the hydrodynamic run.
    least_particles : int
        Least gravity-only particles of a subhalo that is deposited and trained on.
    match : str, optional
        How subhalos are matched; see `mockgal.calibration.matching.match.match`.
    search : int, optional
        Train so many networks, with numbers that are searched for
        (`mockgal.training.search.Ranges`), and keep the best. A number that is given here, or by an
        architecture, is not searched.
    name : str, optional
        What the weights are called; by default the name of the file.
    folder : path-like, optional
        For checkpoints, logs, and while training is not done the fields of the runs; by default
        ``out`` with ``.training`` after its name.
    provenance : mapping, optional
        Stored with the weights: ``summary``, ``caution``, ``citation`` and whatever else.
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
        With the runs, their files, the matching, the split, and the scores in their provenance.

    Raises
    ------
    UsageError
        The packages of the extra ``train`` are not installed; options that cannot be; an output
        that exists.
    MockgalError
        Runs that are no twins or do not go together, regions that overlap, and whatever
        `mockgal.training.loop.train` raises.
    """
    from ..painters.cnn.weights.named import save_weights
    from ..reports.figures import save_figure
    from ..system.files.atomic import atomic_output, check_output
    from ..system.progress import shown
    from ..training import loop
    from ..training.data import field_files
    from ..training.data.targets import targets_of
    from ..training.devices import fabric_of, is_first_process
    from ..training.evaluation.draw_split import draw_split
    from ..training.evaluation.scores import evaluate as scores_of
    from ..training.folder import own_folder
    from ..training.search import check_search
    from ..training.search import search as search_for

    path = Path(out)
    if path.suffix != ".safetensors":
        raise UsageError(path, f"extension {path.suffix!r}", ".safetensors", "name it so")
    card, picture = (path.with_name(path.name + ending) for ending in (CARD, SPLIT))
    for each in (path, card, picture):
        check_output(each, overwrite, paths_of(dark, hydro, density))
    place, further = targets_of(target)
    architecture = _network(preset, WIDTH if width is None else width, further)
    chosen = _training_options(seed, preset, training or {})
    fabric_of(chosen, launch=False)
    if search is not None:
        check_search(search)
    check_options("split", split or {}, SPLIT_OPTIONS)
    where = path.with_name(path.name + FOLDER) if folder is None else Path(folder)
    with shown(progress), own_folder(where), listening() as told:
        pairs = read_pairs(dark, hydro, options, density)
        architecture = told_the_redshift(architecture, pairs)
        made = _prepared(
            pairs,
            architecture,
            target=place,
            sampling=sampling,
            voxels=(voxel_size, grid_size),
            floor=luminosity_floor,
            least_particles=least_particles,
            match=match,
            split=split or {},
            folder=where,
            given=runs_of(dark),
            options=options,
        )
        about: dict[str, Any] = {
            **made.header,
            "name": name or path.stem,
            "provenance": {
                **(provenance or {}),
                "training_data": made.data,
                "warnings": list(told),  # later ones are of the way there, not of the weights
            },
            **made.chances,
        }
        _check_test_rows(made.samples, architecture, about)
        if search is None:
            weights = loop.train(made.samples, architecture, chosen, where, **about)
        else:
            about["ranges"] = _ranges(architecture, chosen, preset, width, training or {})
            found = search_for(made.samples, architecture, chosen, where, search, **about)
            weights = _with(weights=found.weights, search=found.table)
        scores = scores_of(weights, made.samples, seed=chosen.seed)
        weights = _with(
            weights=weights,
            scores={key: scores[key] for key in SCORES} | {"pit": _pit_tests(scores["pit"])},
        )
        if not is_first_process():
            return weights
        runs = held_against(made.pairs, held_out(made.samples))
        text = card_of(weights, scores | {"weights_digest": weights.digest()} | runs)
        save_weights(weights, path, overwrite=overwrite)
        with atomic_output(card, overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")
        save_figure(draw_split(made.samples), picture, overwrite=overwrite)
        field_files.cleared(where)
    return weights


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What is trained on: pairs, samples, what the weights say, chances of the rows."""

    pairs: list[Pair]
    samples: Samples
    header: dict[str, Any]
    data: dict[str, Any]
    chances: dict[str, Array]


def _prepared(
    runs: Sequence[tuple[Any, Any]],
    architecture: Architecture,
    *,
    target: str,
    sampling: str | None,
    voxels: tuple[float | str | None, int | None],
    floor: float | str | None,
    least_particles: int,
    match: str | None,
    split: Mapping[str, Any],
    folder: Path,
    given: Sequence[Run],
    options: Mapping[str, Any],
) -> _Prepared:
    from .. import __version__
    from ..calibration.floor import floor_of
    from ..training.data.samples import TRAIN, normalisation_of
    from ..training.data.split import Box, split_of
    from ..training.data.volumes import checked_grid
    from ..training.folder import places

    if type(least_particles) is not int or not 1 <= least_particles <= 1_000_000:
        raise UsageError("least particles", f"{least_particles!r}", "a whole number from 1 on")
    how = _sampling(sampling, architecture)
    least_stellar, stated = floor_of(floor, runs)
    voxel_size, why = chosen_voxel_size(runs[0][1], *voxels)
    particle = max(dark.snapshot.particle_mass or 0.0 for _, dark in runs)
    least_mass = (least_particles - 0.5) * particle
    pairs = [
        paired(
            hydro,
            dark,
            floor=least_stellar,
            least_mass=least_mass,
            method=match,
            further=architecture.further,
        )
        for hydro, dark in runs
    ]
    check_together(runs)
    scheme: dict[str, Any] = {"voxel_size": voxel_size, **chosen_scheme(runs[0][1], voxel_size)}
    boxes = [
        Box(pair.dark.snapshot.name, checked_grid(pair.dark, **scheme).size, ()) for pair in pairs
    ]
    divided = split_of(boxes, architecture.crop_size, **split)  # refused before fields are made
    grid = scheme | {"least_subhalo_mass": least_mass}
    keys = [
        None if isinstance(run, Scene) else fields_key(pair, grid, options)
        for pair, run in zip(pairs, given, strict=True)
    ]
    volumes = volumes_of(pairs, grid, places(folder, keys, [box.grid_size for box in boxes]))
    samples = samples_of(
        pairs,
        volumes,
        target=target,
        floor=least_stellar,
        architecture=architecture,
        split=divided,
    )
    samples, left_out = _that_can_be_learnt(samples, architecture)
    rows = samples.rows(TRAIN)
    header = {
        "domain": domain_of(pairs, volumes, samples, least_stellar),
        "normalisation": normalisation_of(samples, rows, architecture),
        "target": target,
    }
    data = {
        "pairs": [dict(pair.record) for pair in pairs],
        "voxel_size": why,
        "luminosity_floor": stated,
        "least_particles": least_particles,
        "sampling": SAMPLING[how],
        "not_luminous_and_not_trained_on": left_out,
        "version": __version__,
    }
    return _Prepared(pairs, samples, header, data, _chances(samples, rows, how))


def _network(preset: str | Architecture, width: int, further: tuple[str, ...]) -> Architecture:
    """The architecture, with outputs for the further targets."""
    from ..painters.cnn.architecture import MEAN_ONLY, architecture, outputs_of

    made = architecture(preset, width=width) if isinstance(preset, str) else preset
    if made.further == further:
        return made
    if made.further or made.outputs == MEAN_ONLY:
        raise UsageError(
            "target",
            f"stellar_mass{''.join(f', {name}' for name in further)}, for a network that gives "
            + ", ".join(made.outputs),
            "the targets of the network"
            if made.further
            else "stellar mass alone, or a network that gives a distribution",
        )
    return replace(made, outputs=outputs_of(further))


def _training_options(
    seed: int, preset: str | Architecture, given: Mapping[str, Any]
) -> TrainingOptions:
    """The options, with the rotations alone for the paper's preset."""
    from ..training.options import TrainingOptions

    allowed = [field.name for field in dataclasses.fields(TrainingOptions) if field.name != "seed"]
    check_options("training", given, allowed)
    default = {"symmetries": "rotations"} if preset == "paper" else {}
    return TrainingOptions(seed=seed, **(default | dict(given)))


def _ranges(
    architecture: Architecture,
    chosen: TrainingOptions,
    preset: str | Architecture,
    width: int | None,
    training: Mapping[str, Any],
) -> Ranges:
    """What is searched: not what was given."""
    from ..training.search import Ranges

    fixed: dict[str, Any] = {
        name: (getattr(chosen, name),) * 2
        for name in ("learning_rate", "weight_decay")
        if name in training
    }
    if "batch_size" in training:
        fixed["batch_size"] = (chosen.batch_size,)
    if width is not None or not isinstance(preset, str):
        fixed["width"] = (architecture.width,)
    if not isinstance(preset, str):
        fixed["kernels"] = (architecture.kernels,)
    return Ranges(**fixed)


def _sampling(asked: str | None, architecture: Architecture) -> str:
    from ..painters.cnn.architecture import MEAN_ONLY

    mean_only = architecture.outputs == MEAN_ONLY
    how = asked or ("target" if mean_only else "input")
    if how not in SAMPLING:
        raise UsageError("sampling", repr(how), "one of " + ", ".join(SAMPLING))
    if how == "corrected" and mean_only:
        raise UsageError(
            "sampling",
            "corrected, for a network that gives the mean alone",
            "by the target, by an input, or natural",
        )
    if how == "target" and not mean_only:
        raise UsageError(
            "sampling",
            "by the target, for a network that gives a distribution",
            "by an input, corrected or natural: it would learn another distribution, and no dark "
            "subhalos",
        )
    return how


def _chances(samples: Samples, rows: Array, how: str) -> dict[str, Array]:
    """``sampling`` and ``loss_weights`` of `mockgal.training.loop.train`; neither for all alike."""
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
    """The samples without dark subhalos to train on, for a network that gives the mean alone."""
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
    """Refuse a split whose test part no card can be made of, before the work and not after it."""
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
            "some with one",
            "split the runs in another way, or lower the luminosity floor",
        )
    names = ("name", "domain", "normalisation", "target", "provenance")
    header = WeightsHeader(architecture=architecture, **{name: about[name] for name in names})
    PowerComparison(samples, rows, header, power_range=POWER_RANGE)


def _with(*, weights: Weights, **more: Any) -> Weights:
    """The weights with more in their provenance."""
    return replace(weights, provenance={**weights.provenance, **more})


def _pit_tests(pit: Mapping[str, Any] | None) -> Any:
    return None if pit is None else pit["kolmogorov_smirnov"]
