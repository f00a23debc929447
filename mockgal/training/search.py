"""Search for the hyperparameters of a training, resuming where the search was stopped.

Optuna's tree-structured Parzen estimator proposes them (Bergstra et al. 2011, NeurIPS 24), with
random numbers keyed by the trial. Each trial trains in a folder of its own, from which it resumes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import IncompleteError, InternalError, UsageError, warn
from ..painters.cnn.architecture import PRESETS, Architecture
from ..painters.cnn.weights.header import WeightsHeader
from ..painters.cnn.weights.named import Weights
from ..random import stream_key
from ..system.files.lock import output_error, output_lock
from .data.samples import Samples
from .devices import installed
from .evaluation.selection import RULE, best_of
from .inputs import training_key
from .log import SCALARS, write_table
from .loop import train
from .options import TrainingOptions

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

Kernels = tuple[tuple[int, ...], ...]
TABLE, STORE, ABOUT = "search.csv", "search.log", "about"
_PARAMETERS = ("learning_rate", "weight_decay", "width", "batch_size", "kernels")


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """Ranges of the hyperparameters; see arXiv:2012.00186, section 2.3.

    Parameters
    ----------
    learning_rate : tuple of float
        Least and greatest, on a logarithmic scale.
    weight_decay : tuple of float
        Least and greatest.
    width, batch_size : tuple of int
        The choices.
    kernels : tuple of tuple of tuple of int, optional
        The choices of layouts of blocks. By default those of the presets with the architecture's
        crop size, and its own.
    """

    learning_rate: tuple[float, float] = (1e-5, 1e-1)
    weight_decay: tuple[float, float] = (0.0, 1e-1)
    width: tuple[int, ...] = (4, 8, 16, 32, 64)
    batch_size: tuple[int, ...] = (8, 16, 32, 64)
    kernels: tuple[Kernels, ...] | None = None


class Found(NamedTuple):
    """The result of a search.

    Parameters
    ----------
    weights : Weights
        Weights of the trial chosen by `mockgal.training.evaluation.selection.best_of`.
    table : list of dict
        A row for each trial: its number, state, hyperparameters, and the scores of its weights.
    """

    weights: Weights
    table: list[dict[str, Any]]


def search(
    samples: Samples,
    architecture: Architecture,
    options: TrainingOptions,
    folder: Path,
    trials: int,
    *,
    ranges: Ranges | None = None,
    **about: Any,
) -> Found:
    """Train with several choices of hyperparameters and keep the best network.

    Parameters
    ----------
    samples, architecture, options
        As for `mockgal.training.loop.train`, except what is searched.
    folder : Path
        Folder for the trials, their table, and Optuna's journal.
    trials : int
        Total number of trials, including those of a search that was stopped.
    ranges : Ranges, optional
    **about
        The other arguments of `train`.

    Raises
    ------
    UsageError
        Optuna is not installed, the folder holds another search, or the number of trials is not
        allowed.
    IncompleteError
        No trial gave weights with a score.
    MockgalError
        See `train`. A loss that is not finite does not raise: the trial counts as failed, and the
        next one is tried.
    """
    optuna = check_search(trials)
    ranges, folder = ranges or Ranges(), Path(folder)
    layouts = _layouts(architecture, ranges)
    if trials > 1 and not _is_open(ranges, layouts):
        raise UsageError(
            "search",
            f"{trials} trials, with all hyperparameters fixed",
            "at least one to search for",
            "leave out one of learning rate, weight decay, width and batch size, or --search",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    with output_lock(folder / "search"):
        study = _study(folder, _facts(samples, architecture, options, about), ranges)
        weights: dict[int, Weights] = {}
        for number in range(trials):
            trial = _trial(study, number, options.seed)
            if trial is None:
                continue
            chosen, shape = _suggested(trial, options, architecture, ranges, layouts)
            try:
                trained = train(samples, shape, chosen, _place(folder, number), **about)
                score = trained.provenance["training"]["scores"]["score"]
            except InternalError as error:  # the loss is not finite: the trial has failed
                warn(f"trial {number}: {error}")
                score = None
            else:
                weights[number] = trained
                for name in SCALARS:
                    trial.set_user_attr(name, trained.provenance["training"]["scores"][name])
            if score is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, score)
            write_table(folder / TABLE, *_columns(_table(study)))
        table = _table(study)
        scored = [row for row in table if row["score"] is not None and row["trial"] < trials]
        if not scored:
            raise IncompleteError(
                folder, f"no score in {trials} trials", "one or more", "try more, or other ranges"
            )
        best = scored[best_of(scored)]["trial"]
        if best not in weights:  # from an earlier run: its training is finished, and only read
            chosen, shape = _suggested(study.trials[best], options, architecture, ranges, layouts)
            weights[best] = train(samples, shape, chosen, _place(folder, best), **about)
        return Found(weights[best], table)


def check_search(trials: int) -> Any:
    """Return the module optuna, if it is installed and the number of trials is allowed.

    Raises
    ------
    UsageError
        Optuna is not installed, or the number is not allowed.
    """
    if type(trials) is not int or not 1 <= trials <= 10_000:
        raise UsageError("search trials", repr(trials), "a whole number from 1 to 10000")
    return installed("optuna", "Optuna")


def _facts(
    samples: Samples,
    architecture: Architecture,
    options: TrainingOptions,
    about: Mapping[str, Any],
) -> list[Any]:
    """Return the facts that all trials of a search share: plain JSON values."""
    of_rows = ("sampling", "loss_weights")
    chances = {name: about[name] for name in of_rows if about.get(name) is not None}
    rest = {name: value for name, value in about.items() if name not in of_rows}
    header = WeightsHeader(architecture=architecture, **{"name": "search"} | rest)
    return [training_key(samples, header, options, chances), options.to_dict()]


def _study(folder: Path, facts: list[Any], ranges: Ranges) -> Study:
    """Return the study in the folder; raise if it belongs to another search."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / STORE)))
    study = optuna.create_study(storage=storage, study_name="mockgal", load_if_exists=True)
    plain = [*facts, repr(ranges), RULE]
    key = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    if study.user_attrs.get(ABOUT, key) != key:
        raise UsageError(
            folder,
            "another search (other samples, network, options or ranges)",
            "no search, or this one",
            "give another folder",
        )
    study.set_user_attr(ABOUT, key)
    return study


def _trial(study: Study, number: int, seed: int) -> Trial | None:
    """Return the trial of this number, new or stopped; None if it is finished."""
    import optuna

    # Proposals depend on earlier trials and on the number, not on where the run was resumed.
    key = stream_key(seed, f"search {number}")
    study.sampler = optuna.samplers.TPESampler(seed=key[0])
    if number == len(study.trials):
        return study.ask()
    known = study.trials[number]
    return None if known.state.is_finished() else optuna.trial.Trial(study, known._trial_id)


def _suggested(
    trial: Trial | FrozenTrial,
    options: TrainingOptions,
    architecture: Architecture,
    ranges: Ranges,
    layouts: Mapping[str, Kernels],
) -> tuple[TrainingOptions, Architecture]:
    """Return options and network of a trial; a layout that is a preset's has the preset's name."""
    kernels = layouts[trial.suggest_categorical("kernels", list(layouts))]
    own = {(architecture.kernels, architecture.crop_size): architecture.preset}
    names = {(p["kernels"], p["crop_size"]): name for name, p in PRESETS.items()} | own
    chosen = replace(
        options,
        learning_rate=trial.suggest_float("learning_rate", *ranges.learning_rate, log=True),
        weight_decay=trial.suggest_float("weight_decay", *ranges.weight_decay),
        batch_size=trial.suggest_categorical("batch_size", list(ranges.batch_size)),
    )
    shape = replace(
        architecture,
        preset=names.get((kernels, architecture.crop_size), architecture.preset),
        width=trial.suggest_categorical("width", list(ranges.width)),
        kernels=kernels,
    )
    return chosen, shape


def _layouts(architecture: Architecture, ranges: Ranges) -> dict[str, Kernels]:
    """Return the layouts by their names in the table."""
    layouts = ranges.kernels
    if layouts is None:
        same = [p["kernels"] for p in PRESETS.values() if p["crop_size"] == architecture.crop_size]
        layouts = tuple(dict.fromkeys([architecture.kernels, *same]))
    return {"|".join(",".join(map(str, stage)) for stage in one): one for one in layouts}


def _is_open(ranges: Ranges, layouts: Mapping[str, Kernels]) -> bool:
    """Return whether there is more than one choice."""
    several = (set(ranges.learning_rate), set(ranges.weight_decay), ranges.width, ranges.batch_size)
    return any(len(choices) > 1 for choices in (*several, layouts))


def _place(folder: Path, number: int) -> Path:
    return folder / f"trial-{number:04d}"


def _table(study: Study) -> list[dict[str, Any]]:
    return [
        {"trial": trial.number, "state": trial.state.name.lower()}
        | {name: trial.params.get(name) for name in _PARAMETERS}
        | {name: trial.user_attrs.get(name) for name in SCALARS if name != "learning_rate"}
        for trial in study.trials
    ]


def _columns(table: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    return list(table[0]), [list(row.values()) for row in table]
