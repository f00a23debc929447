"""A light cone from periodic boxes: copies of each snapshot in the shell that it serves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..columns import COPY_OF_THE_BOX, NEXT_SNAPSHOT
from ..completeness import Completeness
from ..errors import UsageError, warn
from ..system.display import light_cone as light_cone_facts
from ..system.progress import advance
from ..theory.distances import distances
from ..types import GalaxyCatalog, LightCone
from .footprint import Footprint
from .sky import angles, observe
from .steps import STEPS

Array = NDArray[Any]

_MOST_COPIES = 499  # along each axis, on either side, by the digits of the column `copy`
_SAME = 1e-6  # relative, between boxes of one run
_STEP = 1_000
_FAR = 0.1  # of a redshift from that of its snapshot, over 1 + z
_MASSIVE = 0.9  # quantile of stellar mass, for what is reported of borders


class Shell(NamedTuple):
    """The comoving distances [Mpc/h], and their redshifts, that a snapshot serves.

    From ``start``, up to ``stop``. ``snapshot`` is its number among those that serve some.
    """

    galaxies: GalaxyCatalog
    start: float
    stop: float
    redshifts: tuple[float, float]
    snapshot: int


def light_cone(
    snapshots: Sequence[GalaxyCatalog] | GalaxyCatalog,
    *,
    redshifts: tuple[float, float],
    observer: Sequence[float] = (0.0, 0.0, 0.0),
    footprint: Footprint | None = None,
) -> GalaxyCatalog:
    """Return the galaxies that an observer sees, from periodic boxes of one run.

    The box is repeated about the observer. Each snapshot serves the distances that are nearer to
    its own than to its neighbours': a halo is taken, with all of its galaxies, from the snapshot in
    whose shell its central lies. Where the central is not in the catalogue, the galaxy of the
    lowest id stands for it. So no halo is cut at the border of two shells, or of the box. What
    moves over a border between two snapshots may be seen in both shells, or in neither.

    Parameters
    ----------
    snapshots : GalaxyCatalog, or sequence of them
        Mocks of boxes of equal side and cosmology, each at another redshift.
    redshifts : tuple of float
        Least and largest cosmological redshift of the halos' centres.
    observer : sequence of float, shape (3,)
        Place of the observer in the box [comoving Mpc/h].
    footprint : Footprint, optional
        Galaxies where it has no completeness are left out as soon as they are placed, so that
        memory is needed for the survey and not for the whole sky.

    Returns
    -------
    GalaxyCatalog
        In the frame ``"sky"``, with the columns of `mockgal.survey.sky.observe`, and ``copy``, the
        number of the copy of the box, and of the snapshot where several serve. A galaxy is
        identified by its id and its copy.

    Raises
    ------
    UsageError
        Redshifts that are no range, boxes of different runs, or too many copies.

    Warns
    -----
    MockgalWarning
        Galaxies are seen more than once, with their number; or a snapshot serves redshifts far from
        its own.

    Examples
    --------
    >>> from mockgal.survey.light_cone import light_cone
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.004))
    >>> cone.frame, bool(cone["distance"].min() > 5)
    ('sky', True)
    """
    boxes = [snapshots] if isinstance(snapshots, GalaxyCatalog) else list(snapshots)
    _check(boxes, redshifts, observer)
    boxes.sort(key=lambda galaxies: galaxies.snapshot.redshift)
    shells = _shells(boxes, redshifts)
    _warn_of_evolution(shells)
    place = np.asarray(observer, dtype=np.float64)
    every = [_copies(shell, place) for shell in shells]
    done, parts = 0, []
    for shell, copies in zip(shells, every, strict=True):
        parts.append(_of_shell(shell, place, copies, footprint, done, sum(map(len, every))))
        done += len(copies)
    names = [name for name in boxes[0].columns if all(name in box for box in boxes)]
    columns = {
        name: np.concatenate([part.columns[name] for part in parts]) for name in [*names, "copy"]
    }
    first = boxes[0]
    snapshot = replace(
        first.snapshot,
        source=tuple(file for box in boxes for file in box.snapshot.source),
        light_cone=LightCone(
            (float(place[0]), float(place[1]), float(place[2])),
            (float(redshifts[0]), float(redshifts[1])),
        ),
    )
    repeated = _repeated(columns["galaxy_id"], columns["copy"])
    step = {
        "step": "light cone",
        "observer_mpc_h": place.tolist(),
        "redshifts": [float(z) for z in redshifts],
        "snapshots": [
            {
                "simulation": shell.galaxies.snapshot.name,
                "redshift": shell.galaxies.snapshot.redshift,
                "distance_mpc_h": [shell.start, shell.stop],
                "serves_redshifts": list(shell.redshifts),
                "content_digest": shell.galaxies.digest(),
                "halo_digest": shell.galaxies.provenance.get("simulation", {}).get("halo_digest"),
                "painter": shell.galaxies.provenance.get("painter", {}).get("name"),
                "seed": shell.galaxies.provenance.get("seed"),
                "cuts": [cut.get("cut") for cut in shell.galaxies.provenance.get("cuts", [])],
                "galaxies": len(part.columns["copy"]),
                "copies": len(np.unique(part.columns["copy"])),
            }
            for shell, part in zip(shells, parts, strict=True)
        ],
        "galaxies_in_boxes": sum(len(box) for box in boxes),
        "galaxies": len(columns["copy"]),
        "outside_the_footprint": sum(part.outside for part in parts),
        "seen_more_than_once": repeated,
        "jumps": _jumps(shells),
        "columns_left_out": sorted({n for box in boxes for n in box.columns} - set(names)),
    }
    if repeated:
        warn(
            f"{repeated} of {len(columns['copy'])} galaxies of the light cone are seen more than "
            f"once, in copies of a box of {first.snapshot.box_size:g} Mpc/h: structure repeats, "
            "and its clustering is not independent",
            stacklevel=2,
        )
    provenance = {
        **first.provenance,
        "simulation": {
            **first.provenance.get("simulation", {}),
            "light_cone": light_cone_facts(snapshot),
        },
        STEPS: [*first.provenance.get(STEPS, []), step],
    }
    cone = GalaxyCatalog(columns, snapshot, "sky", provenance, first.plugin_columns)
    whole = reduce(Completeness.joined, (shell.galaxies.completeness for shell in shells))
    return observe(cone).with_completeness(whole)


def _check(
    boxes: list[GalaxyCatalog], redshifts: tuple[float, float], observer: Sequence[float]
) -> None:
    if not boxes:
        raise UsageError("light cone", "no snapshot", "one at least")
    low, high = redshifts
    if not 0.0 <= low < high < math.inf:
        raise UsageError(
            "redshifts of the light cone", f"{low} to {high}", "a range above 0, the least first"
        )
    if len(observer) != 3 or not all(math.isfinite(x) for x in observer):
        raise UsageError("observer", f"{observer}", "three coordinates [Mpc/h]")
    first = boxes[0].snapshot
    for galaxies in boxes:
        snapshot = galaxies.snapshot
        snapshot.check_periodic("light cone", "give mocks of periodic boxes")
        if abs(snapshot.box_size / first.box_size - 1) > _SAME or (
            snapshot.cosmology != first.cosmology
        ):
            raise UsageError(
                "light cone",
                f"{snapshot.name} beside {first.name}, of another box or cosmology",
                "snapshots of one run",
                "make a light cone of each run",
            )
        missing = [
            name
            for name in (*(f"{q}_{x}" for q in ("position", "velocity") for x in "xyz"), "halo_id")
            if name not in galaxies
        ]
        if missing:
            raise UsageError(
                "light cone",
                f"no column {', '.join(missing)}",
                "positions, velocities and ids",
                "read all columns of the mock",
            )
    times = [galaxies.snapshot.redshift for galaxies in boxes]
    if len(set(times)) < len(times):
        raise UsageError(
            "light cone", f"redshifts {times}", "snapshots of different redshifts", "give each once"
        )


def _shells(boxes: list[GalaxyCatalog], redshifts: tuple[float, float]) -> list[Shell]:
    """Return the shell of each snapshot that serves one; the borders are midway in distance."""
    times = [max(box.snapshot.redshift, 0.0) for box in boxes]
    seen = distances(boxes[0].snapshot.cosmology, max(*times, redshifts[1]))
    own, ends = seen.distances(np.array(times)), seen.distances(np.array(redshifts))
    edges = [0.0, *((own[1:] + own[:-1]) / 2), math.inf]
    shells: list[Shell] = []
    for box, low, high in zip(boxes, edges[:-1], edges[1:], strict=True):
        start, stop = float(max(low, ends[0])), float(min(high, ends[1]))
        if start < stop:
            near, far = seen.redshifts(np.array([start, stop]))
            shells.append(Shell(box, start, stop, (float(near), float(far)), len(shells)))
    return shells


def _warn_of_evolution(shells: list[Shell]) -> None:
    """Warn of snapshots that serve redshifts far from their own."""
    for shell in shells:
        own = shell.galaxies.snapshot.redshift
        far = max(abs(z - own) / (1.0 + own) for z in shell.redshifts)
        if far > _FAR:
            warn(
                f"the snapshot at redshift {own:.4g} serves redshifts {shell.redshifts[0]:.4g} to "
                f"{shell.redshifts[1]:.4g} of the light cone: its galaxies do not evolve over them",
                stacklevel=3,
            )


class _Part(NamedTuple):
    """The galaxies of a shell, and how many more there are outside of the footprint."""

    columns: dict[str, Array]
    outside: int


def _of_shell(
    shell: Shell,
    observer: Array,
    copies: Array,
    footprint: Footprint | None,
    done: int,
    total: int,
) -> _Part:
    """Return the galaxies that copies of a box put into a shell.

    Of ``total`` copies, ``done`` were made for other shells.
    """
    galaxies, size = shell.galaxies, shell.galaxies.snapshot.box_size
    position = np.stack([galaxies[f"position_{x}"] for x in "xyz"], axis=1)
    group, centre = _centres(galaxies, position)
    offset = position - centre[group]
    offset -= size * np.round(offset / size)
    rows, places, numbers = [np.zeros(0, np.intp)], [np.zeros((0, 3))], [np.zeros(0, np.int64)]
    outside = 0
    for n, shift in enumerate(copies):
        advance(done + n, total, "light cone, copies of the box")
        away = centre + size * shift - observer
        far = np.sqrt((away**2).sum(axis=1))
        within = (far >= shell.start) & (far < shell.stop)
        if not within.any():
            continue
        here = np.flatnonzero(within[group])
        place = (away[group[here]] + offset[here]) + observer
        if footprint is not None:
            ra, dec, _ = angles(place - observer)
            seen = footprint.completeness(ra, dec) > 0
            outside += len(here) - int(np.count_nonzero(seen))
            here, place = here[seen], place[seen]
        rows.append(here)
        places.append(place)
        numbers.append(np.full(len(here), _number(shift, shell.snapshot), dtype=np.int64))
    advance(done + len(copies), total, "light cone, copies of the box")
    row, place = np.concatenate(rows), np.concatenate(places)
    columns = {name: values[row] for name, values in galaxies.columns.items()}
    columns |= {f"position_{x}": place[:, axis] for axis, x in enumerate("xyz")}
    columns["copy"] = np.concatenate(numbers)
    return _Part(columns, outside)


def _jumps(shells: list[Shell]) -> list[dict[str, float | None]]:
    """Return how the number of galaxies changes at the borders of shells.

    In the whole boxes, whose numbers are the least noisy: of all galaxies, and of those above the
    stellar mass that a tenth of the nearer box exceeds. Each is the farther over the nearer number.
    """
    jumps: list[dict[str, float | None]] = []
    for near, far in pairwise(shells):
        jump: dict[str, float | None] = {
            "distance_mpc_h": near.stop,
            "redshift": near.redshifts[1],
            "numbers": _ratio(len(far.galaxies), len(near.galaxies)),
        }
        masses = [x.galaxies["stellar_mass"] for x in (near, far) if "stellar_mass" in x.galaxies]
        if len(masses) == 2 and len(masses[0]):
            least = float(np.quantile(masses[0], _MASSIVE))
            numbers = [int(np.count_nonzero(mass > least)) for mass in masses]
            jump["massive_above_msun_h"] = least
            jump["massive"] = _ratio(numbers[1], numbers[0])
        jumps.append(jump)
    return jumps


def _ratio(number: int, of: int) -> float | None:
    return number / of if of else None


def _centres(galaxies: GalaxyCatalog, position: Array) -> tuple[Array, Array]:
    """Return the halo of each galaxy, as a number, and the place of each halo.

    Rows are sorted by halo, and within it by id. The place is that of the central, or of the first
    galaxy where there is none.
    """
    halo = galaxies["halo_id"]
    begins = np.ones(len(halo), dtype=bool)
    begins[1:] = halo[1:] != halo[:-1]
    group = np.cumsum(begins) - 1
    place = position[begins].copy()
    if "is_central" in galaxies:
        central = np.flatnonzero(galaxies["is_central"])
        place[group[central]] = position[central]
    return group, place


def _copies(shell: Shell, observer: Array) -> Array:
    """Return the copies of the box that reach into a shell, as whole numbers of boxes, (n, 3)."""
    size = shell.galaxies.snapshot.box_size
    low = np.floor((observer - shell.stop) / size).astype(int)
    high = np.floor((observer + shell.stop) / size).astype(int)
    if max(abs(int(low.min())), abs(int(high.max()))) > _MOST_COPIES:
        raise UsageError(
            "light cone",
            f"a distance of {shell.stop:.6g} Mpc/h in boxes of {size:g} Mpc/h",
            f"at most {_MOST_COPIES} copies along each axis",
            "give a larger box, or a smaller largest redshift",
        )
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    near, far = [], []
    for axis, whole in enumerate(axes):
        start = size * whole - observer[axis]
        near.append(np.maximum(np.maximum(start, -(start + size)), 0.0) ** 2)
        far.append(np.maximum(np.abs(start), np.abs(start + size)) ** 2)
    nearest = near[0][:, None, None] + near[1][:, None] + near[2]
    farthest = far[0][:, None, None] + far[1][:, None] + far[2]
    rows = np.argwhere((nearest < shell.stop**2) & (farthest >= shell.start**2))
    return np.stack([axes[k][rows[:, k]] for k in range(3)], axis=-1)


def _number(shift: Array, snapshot: int) -> int:
    """Return the number of a copy, as in the column ``copy``."""
    x, y, z = (int(n) for n in shift)
    return snapshot * NEXT_SNAPSHOT + COPY_OF_THE_BOX + x * _STEP**2 + y * _STEP + z


def shift_of(copy: Array) -> Array:
    """Return the copies of the box by their numbers, as whole numbers of boxes, shape (n, 3)."""
    digits = np.asarray(copy, dtype=np.int64) % NEXT_SNAPSHOT
    parts = [digits // _STEP**2, digits // _STEP % _STEP, digits % _STEP]
    return np.stack(parts, axis=-1) - COPY_OF_THE_BOX % _STEP


def _repeated(galaxy_id: Array, copy: Array) -> int:
    """Return how many rows are of galaxies of a snapshot that are there before."""
    every = np.stack([galaxy_id, copy // NEXT_SNAPSHOT], axis=1)
    return len(every) - len(np.unique(every, axis=0))
