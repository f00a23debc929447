"""The features of subhalos that a network may take, and the names by which users choose them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...columns import HALO_COLUMNS, HISTORY_COLUMNS
from ...errors import DomainError, MissingDatasetError, UsageError, listed
from ...layout import HISTORY
from ...types import Scene

Array = NDArray[Any]

OFFSETS = ("offset_x", "offset_y", "offset_z")
SUBHALO_FEATURES = ("log_mass", "log_vmax", "is_central", "log_host_mass", *OFFSETS)
# Columns that not all catalogues have. Scale factors are taken as they are, all others as log10.
FURTHER_COLUMNS = ("concentration", *HISTORY_COLUMNS)
FURTHER_FEATURES = {
    name if name.endswith("_scale") else f"log_{name}": name for name in FURTHER_COLUMNS
}
FEATURES = (*SUBHALO_FEATURES, *FURTHER_FEATURES, "scale_factor")  # the last is of the simulation
LOGARITHMS = {
    **{f"log_{name}": name for name in ("mass", "vmax", "host_mass")},
    **{name: column for name, column in FURTHER_FEATURES.items() if name != column},
}
DEFAULT = "default"  # in a user's choice: the features of the preset
NOT_STATED = "in the catalogue itself"
_BY_COLUMN: dict[str, tuple[str, ...]] = {
    "mass": ("log_mass",),
    "vmax": ("log_vmax",),
    "is_central": ("is_central",),
    "host_mass": ("log_host_mass",),
    "offset": OFFSETS,
    **{column: (name,) for name, column in FURTHER_FEATURES.items()},
}
_DEFINED_BY_FINDER = ("peak_mass", "infall_mass")  # follow the mass that the finder uses


def features_of(chosen: str | Sequence[str], default: Sequence[str]) -> tuple[str, ...]:
    """Return the features that a user chooses.

    Parameters
    ----------
    chosen : str or sequence of str
        Names of columns of halos, ``offset`` of the subhalo from the centre of its voxel, and
        ``default``, as a sequence or between commas.
    default : sequence of str
        The features that ``default`` stands for.

    Returns
    -------
    tuple of str
        Some of `FEATURES`, in their order.

    Raises
    ------
    UsageError
        There is no such feature, or none, or one is there twice.
    """
    names = [name.strip() for name in chosen.split(",")] if isinstance(chosen, str) else [*chosen]
    parts = {**_BY_COLUMN, DEFAULT: tuple(default)}
    unknown = [name for name in names if name not in parts]
    found = [feature for name in names if name in parts for feature in parts[name]]
    if unknown or not found or len(set(found)) < len(found):
        raise UsageError(
            "features",
            ", ".join(map(str, unknown)) or repr(chosen),
            "columns of halos, each once: " + ", ".join(parts),
            "--features default,peak_mass,half_mass_scale adds two to those of the preset",
        )
    return tuple(name for name in FEATURES if name in found)


def definition_of(scene: Scene, column: str) -> str:
    """Return how the values of a further column are defined, as far as is known."""
    record = scene.snapshot.record
    joined: Mapping[str, Any] = record.get(HISTORY, {}).get("columns_read", {})
    if column in joined:
        return f"{' '.join(joined[column]['from'])} of a table"
    if column in _DEFINED_BY_FINDER:
        return str(record.get("mass_column_definition", NOT_STATED))
    if column == "concentration":
        return scene.halos.mass_definition
    return NOT_STATED


def check_columns(scene: Scene, features: Sequence[str], asked_by: str) -> None:
    """Raise if a simulation lacks columns that features are made of.

    Raises
    ------
    MissingDatasetError
    """
    needed = {**LOGARITHMS, **FURTHER_FEATURES}
    lacking = {needed[f]: f for f in features if f in needed and needed[f] not in scene.halos}
    if not lacking:
        return
    joined = [name for name in lacking if name in FURTHER_COLUMNS]
    entries = ", ".join(
        f"{name}=NAME" + f" [{HALO_COLUMNS[name].unit_label}]" * bool(HALO_COLUMNS[name].unit)
        for name in joined
    )
    raise MissingDatasetError(
        f"simulation {scene.snapshot.name}",
        f"no {listed(list(lacking))}",
        f"the feature{'s' * (len(lacking) > 1)} {listed(list(lacking.values()))} of {asked_by}",
        "take weights that were trained without it"
        if len(joined) < len(lacking)
        else "take weights that were trained without it; or join a table of its merger trees: "
        f'mockgal pack --history TABLE --history-columns "halo_id=NAME, {entries}"',
    )


def facts_of(
    scenes: Sequence[Scene], features: Sequence[str], values: Array
) -> dict[str, dict[str, Any]]:
    """Return column, unit, definition and range of each further feature, for the weights.

    Parameters
    ----------
    scenes : sequence of Scene
        The runs that a network is trained on.
    features : sequence of str
    values : ndarray, shape (n, f)
        The features of the subhalos that it is trained on.

    Raises
    ------
    DomainError
        The runs define a column differently.
    """
    facts = {}
    for place, name in enumerate(features):
        if name not in FURTHER_FEATURES:
            continue
        column = FURTHER_FEATURES[name]
        defined = {definition_of(scene, column): scene.snapshot.name for scene in scenes}
        if len(defined) > 1:
            raise DomainError(
                "pairs of runs",
                "; ".join(f"{column} of {run} is {what}" for what, run in defined.items()),
                "one definition for one network",
                f"leave {column} out of the features, or join columns of one name",
            )
        mine = values[:, place]
        facts[name] = {
            "column": column,
            "unit": HALO_COLUMNS[column].unit_label,
            "definition": next(iter(defined)),
            "range": (float(mine.min(initial=np.inf)), float(mine.max(initial=-np.inf))),
        }
    return facts
