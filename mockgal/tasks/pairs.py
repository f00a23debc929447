"""Turn pairs of runs into the samples that the network is trained on, or scored on."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..columns import HALO_COLUMNS
from ..errors import DomainError, MissingDatasetError, UsageError, warn
from ..options import check_names
from ..protocols import ReadOptions
from ..quantity import in_unit
from ..types import Scene
from .calibrate import Run, Stars, read_pair
from .steps.truth import Truth

if TYPE_CHECKING:
    from ..painters.cnn.architecture import Architecture
    from ..painters.cnn.weights.header import Domain
    from ..training.data.field_files import Place
    from ..training.data.samples import Samples, Volume
    from ..training.data.split import Split

Array = NDArray[Any]
FilePath = str | os.PathLike[str]

QUALITY_BIN = 0.5  # dex: bins of the recorded completeness and purity
CELLS = 64  # along a side, where a network sees no fields: for the split, and for clustering
LARGEST_GRID = 1 << 14  # voxels along a side
OF_FIELDS = ("voxel_size", "least_subhalo_mass", "assignment", "origin")  # define a run's fields


@dataclass(frozen=True, eq=False)
class Pair:
    """A hydrodynamic run and its gravity-only twin, matched.

    Parameters
    ----------
    hydro, dark : Scene
        Both sorted by id.
    stellar_mass : ndarray, shape (n,)
        Stellar mass of the galaxy matched with each gravity-only subhalo [Msun/h]; 0 without one.
    record : mapping
        Both runs with their files, the evidence that they are twins, and counts of the matched and
        the unmatched: plain JSON values.
    further : mapping of str to ndarray, shape (n,)
        Other columns of the matched galaxies; NaN without a galaxy.
    """

    hydro: Scene
    dark: Scene
    stellar_mass: Array
    record: Mapping[str, Any]
    further: Mapping[str, Array] = field(default_factory=dict)


def read_pairs(
    dark: Run | Sequence[Run],
    hydro: Stars | Sequence[Stars],
    options: Mapping[str, Any],
    matter: FilePath | Sequence[FilePath] = (),
) -> list[tuple[Scene, Scene]]:
    """Read hydrodynamic runs and their gravity-only twins, sorted by id.

    Parameters
    ----------
    dark, hydro : path-like, Scene, or sequence of these
        Gravity-only and hydrodynamic runs, in the same order; `Truth` in place of the latter.
    options : mapping
        Options of `mockgal.read`.
    matter : path-like, or sequence of these
        Matter of the gravity-only runs, in the same order; or none.

    Returns
    -------
    list of (Scene, Scene)
        Each hydrodynamic run with its twin.

    Raises
    ------
    UsageError
        There are no runs, or unequal numbers; an option is unknown; or options or matter
        are given for a run that is already read.
    MockgalError
        See `mockgal.read`.
    """
    from ..calibration.runs import by_id

    darks, hydros = runs_of(dark), runs_of(hydro)
    if not darks or len(darks) != len(hydros):
        raise UsageError(
            "pairs of runs",
            f"{len(darks)} gravity-only and {len(hydros)} hydrodynamic runs",
            "one or more of each, in the same order",
            "--dark dark/groups_099 --hydro hydro/groups_099",
        )
    beside: list[FilePath | None] = [None] * len(darks)
    if isinstance(matter, str | os.PathLike):
        beside = [matter]
    elif matter:
        beside = list(matter)
    if len(beside) != len(darks):
        raise UsageError(
            "pairs of runs",
            f"{len(darks)} gravity-only runs and matter of {len(beside)}",
            "the matter of each gravity-only run, in the same order, or of none",
            "--dark dark.hdf5 --matter matter.hdf5, for each run",
        )
    check_names("read", options, ("format", *ReadOptions._fields))
    names = [*options, *(["matter"] if any(beside) else [])]
    if names and any(isinstance(run, Scene) for run in [*darks, *hydros]):
        raise UsageError(
            "read", f"option {', '.join(names)} for a run that is already read", "none"
        )
    pairs = [
        read_pair((hydro, dark), options, own)
        for hydro, dark, own in zip(hydros, darks, beside, strict=True)
    ]
    return [(by_id(hydro), by_id(dark)) for hydro, dark in pairs]


def runs_of(given: Stars | Sequence[Stars]) -> list[Any]:
    """Return one run or several as a list."""
    return [given] if isinstance(given, str | os.PathLike | Scene | Truth) else list(given)


def paired(
    hydro: Scene,
    dark: Scene,
    *,
    floor: float,
    least_mass: float,
    method: str | None,
    further: Sequence[str] = (),
) -> Pair:
    """Match a hydrodynamic run with its gravity-only twin.

    Parameters
    ----------
    hydro, dark : Scene
    floor : float
        Least stellar mass that counts as luminous [Msun/h].
    least_mass : float
        Bound mass of the smallest resolved gravity-only subhalo [Msun/h].
    method : str, optional
        See `mockgal.calibration.matching.match.match`.
    further : sequence of str
        Columns of the hydrodynamic run to match beside the stellar mass.

    Raises
    ------
    MissingDatasetError
        The hydrodynamic run lacks such a column.
    MockgalError
        The runs are not twins (`mockgal.calibration.matching.twins.check_twins`), or cannot be
        matched by this method.
    """
    from ..calibration.matching.match import match, quality
    from ..calibration.matching.twins import check_twins
    from ..calibration.runs import describe_run

    lacking = [name for name in further if name not in hydro.halos]
    if lacking:
        scalars = [name for name in hydro.halos.columns if not HALO_COLUMNS[name].shape]
        raise MissingDatasetError(
            f"hydrodynamic run {hydro.snapshot.name}",
            f"no {', '.join(lacking)}",
            f"the requested targets; it has {', '.join(scalars)}",
            "leave these targets out of the training, or give a run that has them",
        )
    evidence = check_twins(hydro, dark)
    matches = match(hydro, dark, method=method)
    stars = hydro.halos["stellar_mass"]
    mass = np.zeros(len(dark.halos))
    mass[matches.dark_rows] = stars[matches.hydro_rows]
    others = {name: np.full(len(dark.halos), np.nan) for name in further}
    for name, values in others.items():
        values[matches.dark_rows] = hydro.halos[name][matches.hydro_rows]
    alone = np.ones(len(stars), dtype=bool)
    alone[matches.hydro_rows] = False
    luminous = stars >= floor
    small = np.zeros(len(stars), dtype=bool)
    small[matches.hydro_rows] = dark.halos["mass"][matches.dark_rows] < least_mass
    heaviest = max(float(dark.halos[n].max(initial=0.0)) for n in ("mass", "host_mass"))
    low, high = (math.log10(max(m, least_mass, 1.0)) / QUALITY_BIN for m in (0.0, heaviest))
    first, last = math.floor(low), max(math.floor(low) + 1, math.ceil(high))
    by_mass = quality(matches, hydro, dark, QUALITY_BIN * np.arange(first, last + 1))
    total = math.fsum(stars[luminous])
    matching = {
        "method": matches.method,
        **matches.record,
        "luminous_hydro": int(np.sum(luminous)),
        "luminous_hydro_unmatched": int(np.sum(luminous & alone)),
        "stellar_mass_share_unmatched": math.fsum(stars[luminous & alone]) / total if total else 0,
        "luminous_hydro_unresolved": int(np.sum(luminous & small)),
        "stellar_mass_share_unresolved": math.fsum(stars[luminous & small]) / total if total else 0,
        "quality": by_mass.to_dict(),
    }
    record = {"hydro": describe_run(hydro), "dark": describe_run(dark)}
    record |= {"twins": evidence, "matching": matching}
    return Pair(hydro, dark, mass, record, others)


def stars_of(hydro: Scene) -> str:
    """Return which stars the stellar masses of a hydrodynamic run count."""
    return str(hydro.snapshot.record.get("stellar_mass_definition", "bound"))


def check_together(pairs: Sequence[tuple[Scene, Scene]]) -> None:
    """Raise if one network cannot be trained on all pairs.

    Raises
    ------
    DomainError
        The pairs differ in a definition of mass, in resolution or in cosmology.
    """
    from ..painters.cnn.domain import COSMOLOGY, PARTICLE_MASS, both_state

    (hydro, dark), *others = pairs
    for its_hydro, its_dark in others:
        masses = [
            f"{d.halos.mass_definition} of hosts, {stars_of(h)} of stars"
            for h, d in ((hydro, dark), (its_hydro, its_dark))
        ]
        a, b = dark.snapshot, its_dark.snapshot
        compared = {"particle mass": (a.particle_mass, b.particle_mass, PARTICLE_MASS)}
        for name, one, another in both_state(a.cosmology.to_dict(), b.cosmology.to_dict()):
            compared[name] = one, another, COSMOLOGY
        differ = [
            f"{name} {one} and {other}"
            for name, (one, other, most) in compared.items()
            if one is None or other is None or abs(other - one) > most * abs(one)
        ]
        if masses[0] != masses[1]:
            differ.append(f"masses {masses[0]}, and {masses[1]}")
        if differ:
            raise DomainError(
                f"pairs of runs, {a.name} and {b.name}",
                "; ".join(differ),
                "the same resolution, cosmology and mass definitions for one network",
                "train a network for each",
            )


def told_the_redshift(
    architecture: Architecture, pairs: Sequence[tuple[Scene, Scene]]
) -> Architecture:
    """Return the architecture, with the scale factor as last feature for several redshifts.

    An architecture without features cannot take it; a warning says so.
    """
    from ..painters.cnn.domain import REDSHIFT

    redshifts = [dark.snapshot.redshift for _, dark in pairs]
    if max(redshifts) - min(redshifts) <= REDSHIFT or "scale_factor" in architecture.features:
        return architecture
    if architecture.features:
        return replace(architecture, features=(*architecture.features, "scale_factor"))
    warn(
        f"runs at redshifts {min(redshifts):.4g} to {max(redshifts):.4g}: the network takes no "
        "features, so that it is not told which, and learns what is common to them",
    )
    return architecture


def chosen_voxel_size(
    dark: Scene, voxel_size: float | str | None, grid_size: int | None, fields: bool = True
) -> tuple[float, str]:
    """Return the side of a voxel [Mpc/h], and in words why it was chosen.

    By default it is that of the run's density grid. Without one, the number of voxels along a side
    is the first power of two not below the number of particles along a side, as in
    arXiv:2012.00186 (2048 for 1820). A network that sees no ``fields`` has `CELLS`.
    """
    box, given = dark.snapshot.box_size, "given"
    if voxel_size is not None and grid_size is not None:
        raise UsageError("grid", "a voxel size and a number of voxels", "one of them")
    if isinstance(voxel_size, str):
        h = dark.snapshot.cosmology.h
        return in_unit("voxel size", voxel_size, "Mpc / littleh", h), f"{given}: {voxel_size}"
    if voxel_size is not None:
        return float(voxel_size), given
    if grid_size is not None:
        if type(grid_size) is not int or not 1 <= grid_size <= LARGEST_GRID:
            raise UsageError("grid", f"{grid_size!r}", f"a whole number from 1 to {LARGEST_GRID}")
        return box / grid_size, f"{given}: {grid_size} along a side of {dark.snapshot.name}"
    if not fields:
        return box / CELLS, f"{CELLS} along a side of {dark.snapshot.name}: no fields are seen"
    if dark.field is not None:
        return dark.field.voxel_size, f"that of the density grid of {dark.snapshot.name}"
    if dark.particles is None:
        return box, "the box: there is no matter"  # refused when the volume is made
    side = round(dark.particles.count ** (1 / 3))
    number = 1 << max(side - 1, 0).bit_length()
    return box / number, (
        f"{number} along a side of {dark.snapshot.name}: the first power of two not below the "
        f"{side} particles"
    )


def chosen_scheme(dark: Scene, voxel_size: float) -> dict[str, str]:
    """Return ``assignment`` and ``origin`` of the network's grid.

    They are those of the run's own density grid if its voxels have the same size.
    """
    from ..painters.cnn.inputs import fits

    field = dark.field
    if field is not None and fits(field.voxel_size, voxel_size):
        return {"assignment": field.assignment, "origin": field.origin}
    return {"assignment": "CIC", "origin": "corner"}


def volumes_of(
    pairs: Sequence[Pair],
    domain: Mapping[str, Any],
    places: Sequence[Place | None] = (),
    *,
    fields: bool = True,
) -> list[Volume]:
    """Return the gravity-only runs on the network's grid.

    Parameters
    ----------
    pairs : sequence of Pair
    domain : mapping
        The keys of `OF_FIELDS`, with values as in `Domain`.
    places : sequence of Place or None
        Places of the files of the fields; without them the fields are held in memory.
    fields : bool
        Whether the network sees fields; if not, the volumes have subhalos alone.
    """
    from ..training.data.volumes import volume_of, volume_of_features

    if not fields:
        own = {name: domain[name] for name in ("voxel_size", "least_subhalo_mass")}
        return [volume_of_features(pair.dark, **own) for pair in pairs]
    settings = {name: domain[name] for name in OF_FIELDS}
    return [
        volume_of(pair.dark, **settings, place=place)
        for pair, place in zip(pairs, places or [None] * len(pairs), strict=True)
    ]


def fields_key(pair: Pair, domain: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
    """Return a digest of all that the fields of a gravity-only run depend on.

    Parameters
    ----------
    pair : Pair
        Its gravity-only run was read from the files in their present state.
    domain : mapping
        As for `volumes_of`.
    options : mapping
        Options that the run was read with.

    Returns
    -------
    str or None
        None if a file no longer exists.
    """
    from .. import __version__
    from ..painters.cnn.evaluation.tile_store import key_of

    snapshot = pair.dark.snapshot
    try:
        files = [[*file, os.stat(file.path).st_mtime_ns] for file in snapshot.source]
    except OSError:
        return None
    settings = [[name, domain[name]] for name in OF_FIELDS]
    facts = [__version__, pair.record["dark"], snapshot.facts(), snapshot.particle_mass]
    read_with = sorted((name, repr(value)) for name, value in options.items())
    return key_of([*facts, files, settings, read_with], ())


def samples_of(
    pairs: Sequence[Pair],
    volumes: Sequence[Volume],
    *,
    target: str,
    floor: float,
    architecture: Architecture,
    split: Split,
) -> Samples:
    """Return the subhalos of all pairs with their targets; ``target`` is a key of `TARGETS`."""
    from ..painters.cnn.weights.header import TARGETS
    from ..training.data.targets import subhalo_samples, voxel_samples

    scenes = [pair.dark for pair in pairs]
    common: dict[str, Any] = {"floor": floor, "architecture": architecture, "split": split}
    if target == "subhalo":
        common["further"] = [pair.further for pair in pairs]
        return subhalo_samples(volumes, scenes, [pair.stellar_mass for pair in pairs], **common)
    if target == "voxel":
        galaxies = [
            (pair.hydro.halos["position"], pair.hydro.halos["stellar_mass"]) for pair in pairs
        ]
        return voxel_samples(volumes, scenes, galaxies, **common)
    raise UsageError("target", repr(target), "one of " + ", ".join(TARGETS))


def domain_of(
    pairs: Sequence[Pair],
    volumes: Sequence[Volume],
    samples: Samples,
    floor: float,
    features: Sequence[str] = (),
) -> Domain:
    """Return the domain of validity of a network that is trained on these samples.

    The ranges of mass and of further features are those of the subhalos in the training part;
    ``features`` are those of the samples.
    """
    from ..painters.cnn.features import facts_of
    from ..painters.cnn.weights.header import Domain
    from ..training.data.samples import TRAIN

    values: dict[str, list[Array]] = {"mass": [], "host_mass": [], "vmax": []}
    for index, pair in enumerate(pairs):
        halos = pair.dark.halos
        mine = (samples.volume == index) & (samples.part == TRAIN)
        rows = np.searchsorted(halos["halo_id"], samples.halo_id[mine])
        for name, arrays in values.items():
            if name in halos:
                arrays.append(halos[name][rows])

    def limits(name: str) -> tuple[float, float]:
        known = np.concatenate(values[name])
        known = np.log10(known[known > 0])
        return float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))

    with_vmax = all("vmax" in pair.dark.halos for pair in pairs)
    dark, first = pairs[0].dark, volumes[0]
    redshifts = _trained_redshifts(pairs, samples)
    return Domain(
        voxel_size=first.voxel_size,
        origin=first.origin,
        assignment=first.assignment,
        particle_mass=dark.snapshot.particle_mass or 0.0,
        least_subhalo_mass=first.least_subhalo_mass,
        redshift=(min(redshifts), max(redshifts)),
        cosmology=dark.snapshot.cosmology.to_dict(),
        mass_definition=dark.halos.mass_definition,
        stellar_mass_definition=stars_of(pairs[0].hydro),
        luminosity_floor=floor,
        log_mass=limits("mass"),
        log_host_mass=limits("host_mass"),
        log_vmax=limits("vmax") if with_vmax else None,
        history=facts_of(
            [pair.dark for pair in pairs], features, samples.features[samples.part == TRAIN]
        ),
    )


def _trained_redshifts(pairs: Sequence[Pair], samples: Samples) -> list[float]:
    """Return the redshifts of the training runs; raise if a held-out run is outside their range."""
    from ..painters.cnn.domain import REDSHIFT
    from ..training.data.samples import TRAIN

    trained = np.unique(samples.volume[samples.part == TRAIN])
    known = [pairs[k].dark.snapshot.redshift for k in trained]
    held_out = [pair.dark.snapshot.redshift for pair in pairs]
    low, high = min(known), max(known)
    if min(held_out) < low - REDSHIFT or max(held_out) > high + REDSHIFT:
        raise DomainError(
            "split",
            f"held-out runs at redshifts {min(held_out):.4g} to {max(held_out):.4g}, training runs "
            f"at {low:.4g} to {high:.4g}",
            "held-out runs within the redshifts of the training",
            "choose the held-out simulations with --validation and --test",
        )
    return known
