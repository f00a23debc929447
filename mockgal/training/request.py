"""The request of a training: a network, its targets, and the training options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import UsageError
from ..options import check_names
from ..painters.cnn.architecture import MEAN_ONLY, Architecture, architecture, outputs_of
from ..painters.cnn.features import features_of
from .data.targets import targets_of
from .options import TrainingOptions
from .search import Ranges, check_search

SAMPLING = {
    "target": "1/count in 100 bins of log10 of stellar mass",
    "corrected": "1/count in 100 bins of log10 of stellar mass, dark subhalos as often as they "
    "are, and the loss corrected for it",
    "input": "1/count in 100 bins of log10 of the subhalo's bound mass",
    "natural": "each subhalo once an epoch",
}
WIDTH = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """A training request, checked before any run is read.

    Parameters
    ----------
    architecture : Architecture
        The network, with outputs for the further targets.
    target : str
        ``stellar_mass`` or ``voxel``.
    sampling : str
        A key of `SAMPLING`.
    options : TrainingOptions
    search : int, optional
        Number of networks to train in a search; by default one network and no search.
    ranges : Ranges
        Ranges of the search.
    """

    architecture: Architecture
    target: str
    sampling: str
    options: TrainingOptions
    search: int | None
    ranges: Ranges

    @classmethod
    def of(
        cls,
        *,
        seed: int,
        preset: str | Architecture,
        width: int | None,
        features: str | Sequence[str] | None,
        target: str,
        sampling: str | None,
        search: int | None,
        training: Mapping[str, Any],
    ) -> Request:
        """Return the request of a call of `mockgal.train`, which documents the parameters.

        Raises
        ------
        UsageError
            An option is not allowed, alone or with the others.
        """
        place, further = targets_of(target)
        network = _network(preset, width, further)
        if features is not None:
            network = replace(network, features=features_of(features, network.features))
        options = _training_options(seed, preset, training)
        if search is not None:
            check_search(search)
        if not network.sees_fields:
            _check_features_only(width, search, place)
        return cls(
            architecture=network,
            target=place,
            sampling=_sampling(sampling, network),
            options=options,
            search=search,
            ranges=ranges_of(network, options, preset, width, training),
        )


def _check_features_only(width: int | None, search: int | None, target: str) -> None:
    """Raise if options are about convolutions, where there are none."""
    for name, value in (
        ("width", width),
        ("search", search),
        ("target", target if target == "voxel" else None),
    ):
        if value is not None:
            raise UsageError(
                name,
                f"{value}, for a network that sees no fields",
                "none: it is about networks that see fields",
                f"leave --{name} out",
            )


def _network(
    preset: str | Architecture, width: int | None, further: tuple[str, ...]
) -> Architecture:
    """Return the architecture, with outputs for the further targets."""
    changes = {"width": WIDTH if width is None else width}
    if isinstance(preset, str):
        network = architecture(preset, **({} if preset == "features" else changes))
    else:
        network = preset
    if network.further == further:
        return network
    if network.further or network.outputs == MEAN_ONLY:
        raise UsageError(
            "target",
            f"stellar_mass{''.join(f', {name}' for name in further)}, for a network that gives "
            + ", ".join(network.outputs),
            "the targets of the network"
            if network.further
            else "stellar mass alone, or a network that gives a distribution",
        )
    return replace(network, outputs=outputs_of(further))


def _training_options(
    seed: int, preset: str | Architecture, given: Mapping[str, Any]
) -> TrainingOptions:
    """Return the options, with rotations as the only symmetries for the paper's preset."""
    allowed = [field.name for field in dataclasses.fields(TrainingOptions) if field.name != "seed"]
    check_names("training", given, allowed)
    default = {"symmetries": "rotations"} if preset == "paper" else {}
    return TrainingOptions(seed=seed, **(default | dict(given)))


def ranges_of(
    network: Architecture,
    options: TrainingOptions,
    preset: str | Architecture,
    width: int | None,
    training: Mapping[str, Any],
) -> Ranges:
    """Return the ranges to search, with the user's choices fixed."""
    fixed: dict[str, Any] = {
        name: (getattr(options, name),) * 2
        for name in ("learning_rate", "weight_decay")
        if name in training
    }
    if "batch_size" in training:
        fixed["batch_size"] = (options.batch_size,)
    if width is not None or not isinstance(preset, str):
        fixed["width"] = (network.width,)
    if not isinstance(preset, str):
        fixed["kernels"] = (network.kernels,)
    return Ranges(**fixed)


def _sampling(asked: str | None, network: Architecture) -> str:
    mean_only = network.outputs == MEAN_ONLY
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
