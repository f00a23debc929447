"""Score weights of the dm2gal network on pairs of runs: `mockgal evaluate`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BadValueError, DomainError, UsageError, renamed, warn
from ..protocols import spelled_out
from ..types import Scene
from .calibrate import Run, Stars
from .pairs import FilePath, Pair, paired, read_pairs, samples_of, stars_of, volumes_of

if TYPE_CHECKING:
    from ..painters.cnn.weights.named import Weights
    from ..training.data.samples import Samples, Volume
    from ..training.data.split import Box, Split


@spelled_out
@renamed(density="matter")
def evaluate(
    weights: str | os.PathLike[str] | Weights,
    dark: Run | Sequence[Run],
    hydro: Stars | Sequence[Stars],
    *,
    seed: int | None = None,
    matter: FilePath | Sequence[FilePath] = (),
    match: str | None = None,
    scratch: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int, str], object] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Score weights on pairs of runs; of runs used in training, only held-out subhalos count.

    Parameters
    ----------
    weights : str, path-like or Weights
        A name from ``mockgal weights list``, a .safetensors file, or weights.
    dark, hydro
        As for `train`. All subhalos of a pair that was not used in training are scored.
    seed : int, optional
        Seed of the draws. By default that of the training, which reproduces the card.
    matter : path-like, or sequence of these
        As for `train`.
    match : str, optional
        As for `train`. By default, pairs used in training are matched as they were then.
    scratch : path-like, optional
        Folder for the fields of the runs while this function runs, 8 bytes per voxel. Without it
        the fields are held in memory.
    progress : callable, optional
    **options
        See `mockgal.read`; runs have to be read as for the training.

    Returns
    -------
    dict
        The scores of `mockgal.training.evaluation.scores.evaluate`, and ``runs``: plain JSON
        values. `card_of` writes them as Markdown.

    Raises
    ------
    DomainError
        The weights are not valid for a run, or a run of the training is read in another way.
    UsageError
        There is no seed, and none in the weights.
    MockgalError
        See `train`.

    Examples
    --------
    >>> scores = mockgal.evaluate(  # doctest: +SKIP
    ...     "net.safetensors", "other/dark/groups_099", "other/hydro/groups_099", seed=1
    ... )
    """
    from ..painters.cnn.weights.named import Weights, named_weights
    from ..system.files.scratch import scratch_folder
    from ..system.progress import shown
    from ..training.data.field_files import Place
    from ..training.evaluation.scores import evaluate as scores_of

    loaded = weights if isinstance(weights, Weights) else named_weights(weights)
    trained = _Trained.of(loaded)
    seed = trained.seed if seed is None else seed
    if scratch is not None:
        scratch_folder(scratch)
    if seed is None:
        raise UsageError("seed", "none, and none in the weights", "a seed for the draws", "--seed")
    with shown(progress):
        pairs, places = [], []
        for hydro_run, dark_run in read_pairs(dark, hydro, options, matter):
            _check_valid(loaded, hydro_run, dark_run)
            places.append(_place(dark_run, trained.pairs))
            method = match or _method(trained.pairs, places[-1])
            pairs.append(_pair(loaded, hydro_run, dark_run, method))
        files = [] if scratch is None else [Place(Path(scratch))] * len(pairs)
        fields = loaded.architecture.sees_fields
        volumes = volumes_of(pairs, dataclasses.asdict(loaded.domain), files, fields=fields)
        samples = samples_of(
            pairs,
            volumes,
            target=loaded.target,
            floor=loaded.domain.luminosity_floor,
            architecture=loaded.architecture,
            split=_split(loaded, trained, volumes, places),
        )
        kept = held_out(samples)
        if not kept and any(place is not None for place in places):
            raise DomainError(
                ", ".join(f"run {pair.dark.snapshot.name}" for pair in pairs),
                f"no subhalos held out for the test of weights {loaded.name}: all were used in "
                "training, or to choose the epoch",
                "a run with a held-out part, or one that was not used in training",
                "give a pair that the card of the weights names, or one not used in training",
            )
        scores = scores_of(loaded, samples, seed=seed)
    return scores | held_against(pairs, kept, [place is not None for place in places])


def _check_valid(weights: Weights, hydro: Scene, dark: Scene) -> None:
    """Raise if the weights are not valid for a pair of runs.

    Raises
    ------
    DomainError
    """
    from ..painters.cnn.domain import mismatch
    from ..painters.cnn.inputs import grid_of

    reasons = mismatch(dark, weights, grid_of(dark, weights))
    stars, trained_on = stars_of(hydro), weights.domain.stellar_mass_definition
    if stars != trained_on:
        reasons.append(f"stellar masses {stars}, not {trained_on}")
    if reasons:
        raise DomainError(
            f"weights {weights.name} on {dark.snapshot.name}",
            "; ".join(reasons),
            "a pair of runs like those of the training",
        )


def _pair(weights: Weights, hydro: Scene, dark: Scene, method: str | None) -> Pair:
    """Return the pair, matched as the weights need it."""
    return paired(
        hydro,
        dark,
        floor=weights.domain.luminosity_floor,
        least_mass=weights.domain.least_subhalo_mass,
        method=method,
        further=weights.architecture.further,
    )


def _split(
    weights: Weights, trained: _Trained, volumes: Sequence[Volume], places: Sequence[int | None]
) -> Split:
    """Return what is held out: the same as in the training, and all of the other runs.

    Parameters
    ----------
    weights : Weights
    trained : _Trained
    volumes : sequence of Volume
    places : sequence of int or None
        Index of each run among those of the training.
    """
    from ..training.data.split import Split

    boxes, kind = [], "box"
    for volume, place in zip(volumes, places, strict=True):
        if place is None:
            boxes.append(_whole(volume.name, volume.grid_size))
            continue
        assert trained.split is not None
        boxes.append(trained.split.boxes[place])
        kind = trained.split.kind
    return Split(kind, weights.architecture.crop_size // 2, tuple(boxes))


class _Trained(NamedTuple):
    """The training recorded in weights: the pairs, the split of their boxes, and the seed."""

    pairs: Sequence[Mapping[str, Any]] = ()
    split: Split | None = None
    seed: int | None = None

    @classmethod
    def of(cls, weights: Weights) -> _Trained:
        """Return the training recorded by `mockgal.train`; empty for weights from elsewhere."""
        from ..calibration.matching.match import METHODS
        from ..calibration.matching.same_halos import METHOD
        from ..training.data.split import Split

        data, training = (weights.provenance.get(k) for k in ("training_data", "training"))
        if not (isinstance(data, Mapping) and "pairs" in data):
            return cls()
        try:
            for pair in data["pairs"]:
                dark, method = pair["dark"], pair["matching"]["method"]
                files = [file["sha256"] for file in dark["files"]]
                facts = [dark["halo_digest"], dark["simulation"], method, *files]
                if not all(isinstance(fact, str) for fact in facts):
                    raise TypeError("no text")
                if method not in (*METHODS.values(), METHOD):
                    raise ValueError(method)
            split = Split.from_dict(training["samples"]["split"])  # type: ignore[index]
            if len(split.boxes) != len(data["pairs"]):
                raise ValueError("other numbers of boxes and pairs")
            return cls(data["pairs"], split, training["options"]["seed"])  # type: ignore[index]
        except (KeyError, TypeError, ValueError) as error:
            raise BadValueError(
                f"provenance of the weights {weights.name}",
                f"{error!r}"[:200],
                "what mockgal train stores",
            ) from error


def card_of(weights: Weights, scores: Mapping[str, Any]) -> str:
    """Return the scores of `evaluate` and a description of the weights, in Markdown."""
    from ..training.evaluation.card import about
    from ..training.evaluation.scores import card

    return card(scores) + about(weights, scores["runs"])


def held_out(samples: Samples) -> list[int]:
    """Return the indices of the volumes that have subhalos held out for the test."""
    from ..training.data.samples import TEST

    return sorted({int(volume) for volume in samples.volume[samples.part == TEST]})


def held_against(
    pairs: Sequence[Pair], kept: Sequence[int], trained_on: Sequence[bool] | None = None
) -> dict[str, Any]:
    """Return ``runs`` of the scores: the pairs whose indices are in ``kept``.

    All pairs count as trained on unless ``trained_on`` says otherwise.
    """
    flags = [True] * len(pairs) if trained_on is None else trained_on
    return {
        "runs": [
            {
                "dark": pair.dark.snapshot.name,
                "hydro": pair.hydro.snapshot.name,
                "redshift": pair.dark.snapshot.redshift,
                "matched_by": pair.record["matching"]["method"],
                "trained_on": flag,
            }
            for number, (pair, flag) in enumerate(zip(pairs, flags, strict=True))
            if number in kept
        ]
    }


def _method(trained: Sequence[Mapping[str, Any]], place: int | None) -> str | None:
    """Return how a pair was matched for the training; None if it was not, or not used there."""
    from ..calibration.matching.match import METHODS

    if place is None:
        return None
    names = {words: name for name, words in METHODS.items()}
    return names.get(trained[place]["matching"]["method"])


def _place(dark: Scene, trained: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the index of a run among the pairs of the training, by content; None if not there.

    Raises
    ------
    DomainError
        The files were used in training but are read differently now, so that the held-out
        subhalos would not be the same.
    """
    from ..calibration.runs import describe_run

    own = describe_run(dark)
    for k, other in enumerate(trained):
        if other["dark"]["halo_digest"] == own["halo_digest"]:
            return k
    for other in trained:
        theirs = {file["sha256"] for file in other["dark"]["files"] if file["sha256"]}
        if theirs & {file["sha256"] for file in own["files"]}:
            raise DomainError(
                f"run {own['simulation']}",
                "files used in training, read in another way",
                "the run read as it was for the training",
                "give the reading options of the training: see `mockgal weights show --json`",
            )
        if other["dark"]["simulation"] == own["simulation"]:
            warn(
                f"run {own['simulation']}: a run of this name was used in training, with other "
                "subhalos; this one is treated as another simulation",
            )
    return None


def _whole(name: str, grid_size: int) -> Box:
    """Return a box that is held out as a whole."""
    from ..training.data.samples import TEST
    from ..training.data.split import Box, Region

    return Box(name, grid_size, (Region(TEST, (0, 0, 0), (grid_size,) * 3),))
