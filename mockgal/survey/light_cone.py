"""A light cone from periodic boxes: copies of each snapshot in the shell that it serves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import NEXT_SNAPSHOT
from ..completeness import Completeness
from ..digests import IDENTITY
from ..errors import UsageError, warn
from ..random import even_points
from ..system.display import light_cone as light_cone_facts
from ..system.memory import check_memory
from ..system.progress import shown
from ..theory.distances import distances
from ..types import GalaxyCatalog, LightCone
from .cone.copies import copies_of
from .cone.extent import Extent, extent
from .cone.gather import Gathered, Shell, View, joined, seen
from .cone.points import points_in_box
from .cone.remapping import BOX, Remapping, fitting
from .footprint import WHOLE_SKY, Footprint, cap_of
from .sky import BLOCK, redshift_columns
from .steps import STEPS

Array = NDArray[Any]

FIT = "fit"  # the remapping that leaves most room around the survey
_SAME = 1e-6  # relative, between boxes of one run
_FAR = 0.1  # of a redshift from that of its snapshot, over 1 + z
_MASSIVE = 0.9  # quantile of stellar mass, for what is reported of borders
_SEEN_BYTES = 48  # of each galaxy: sky columns and copy
_POINTS = 1 << 15  # by whose places repeats of structure are counted
_MANY_BOXES = 100.0  # volumes of the box, of which all but one repeat
_HALO = 3.0  # Mpc/h from its place to its farthest galaxy, for the room that a survey needs


def light_cone(
    snapshots: Sequence[GalaxyCatalog] | GalaxyCatalog,
    *,
    redshifts: tuple[float, float],
    observer: Sequence[float] = (0.0, 0.0, 0.0),
    footprint: Footprint | None = None,
    remapping: Remapping | str | None = None,
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
    remapping : Remapping or str, optional
        How the periodic universe is turned about the observer, positions and velocities alike: with
        the sides of this cuboid in place of those of the box. A survey that fits into the cuboid
        sees no galaxy twice. ``"fit"`` takes the one that leaves most room around the survey.

    Returns
    -------
    GalaxyCatalog
        In the frame ``"sky"``, with the columns of `mockgal.survey.sky.observe`, and ``copy``, the
        number of the copy of the box, and of the snapshot where several serve. A galaxy is
        identified by its id and its copy.

    Raises
    ------
    UsageError
        Redshifts that are no range, boxes of different runs, too many copies, or a survey that fits
        into no remapping of the box.
    ResourceError
        More galaxies are expected, or more copies are needed, than the memory holds.

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

    A narrow survey, far deeper than the box, that sees nothing twice:

    >>> from mockgal.survey.footprint import SkyCap
    >>> beam = SkyCap((0.0, 0.0), opening=2.0)
    >>> deep = light_cone(mock, redshifts=(0.001, 0.02), footprint=beam, remapping="fit")
    >>> deep.provenance["survey"][0]["seen_more_than_once"]
    0
    """
    boxes = [snapshots] if isinstance(snapshots, GalaxyCatalog) else list(snapshots)
    _check(boxes, redshifts, observer)
    boxes.sort(key=lambda galaxies: galaxies.snapshot.redshift)
    shells = _shells(boxes, redshifts)
    _warn_of_evolution(shells)
    size = boxes[0].snapshot.box_size
    if isinstance(remapping, str):
        remapping = _fitted(remapping, _around(shells, footprint), size)
    place = np.asarray(observer, dtype=np.float64)
    turn = None if remapping is None else remapping.turn
    view = View(place, turn, footprint, cap_of(footprint))
    names = [name for name in boxes[0].columns if all(name in box for box in boxes)]
    names = [name for name in names if not name.endswith("_rsd")]  # of a far observer
    parts = _parts(shells, view, names)
    numbers = [len(part.columns["copy"]) for part in parts]
    columns = joined([part.columns for part in parts], IDENTITY)
    cosmology = boxes[0].snapshot.cosmology
    columns |= redshift_columns(cosmology, columns["distance"], columns.pop("along"))
    repeated = _repeated(columns)
    again = 0.0 if len(shells) == 1 else _seen_before(shells, view)
    if repeated or again:
        what = f"{repeated} of {len(columns['copy'])} galaxies of the light cone"
        what += " are seen more than once"
        if again:  # snapshots number their galaxies each in its own way
            what = (
                f"{again:.1%} of the volume of the light cone is a place of the box that is in it "
                f"before, if of another snapshot; {repeated} galaxies are seen more than once"
            )
        warn(
            f"{what}, in copies of a box of {size:g} Mpc/h: structure repeats, and its clustering "
            f"is not independent{_way_out(_around(shells, footprint), size)}"
        )
    step = {
        "step": "light cone",
        "observer_mpc_h": place.tolist(),
        "redshifts": [float(z) for z in redshifts],
        **({} if remapping is None else {"remapping": remapping.describe(size)}),
        "snapshots": [
            {**_served(shell), "galaxies": number, "copies": part.copies}
            for shell, part, number in zip(shells, parts, numbers, strict=True)
        ],
        "galaxies_in_boxes": sum(len(box) for box in boxes),
        "galaxies": len(columns["copy"]),
        "seen_more_than_once": repeated,
        **({"volume_seen_before": again} if len(shells) > 1 else {}),
        "jumps": _jumps(shells),
        "columns_left_out": sorted({n for box in boxes for n in box.columns} - set(names)),
    }
    return _catalogue(columns, boxes, shells, step)


def _catalogue(
    columns: Mapping[str, Array],
    boxes: list[GalaxyCatalog],
    shells: list[Shell],
    step: Mapping[str, Any],
) -> GalaxyCatalog:
    """Return the light cone of its columns, with the record of how it was made."""
    first = boxes[0]
    x, y, z = step["observer_mpc_h"]
    low, high = step["redshifts"]
    snapshot = replace(
        first.snapshot,
        source=tuple(file for box in boxes for file in box.snapshot.source),
        light_cone=LightCone((x, y, z), (low, high)),
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
    return cone.with_completeness(whole)


def _parts(shells: list[Shell], view: View, names: Sequence[str]) -> list[Gathered]:
    """Return the galaxies of each shell."""
    turn = BOX.turn if view.turn is None else view.turn
    size = shells[0].galaxies.snapshot.box_size
    every = [
        copies_of(size, view.observer, (shell.start, shell.stop), view.cap, turn)
        for shell in shells
    ]
    _check_memory(shells, view.footprint, names)
    done, total = 0, sum(len(shell.galaxies) for shell in shells)
    parts = []
    for shell, copies in zip(shells, every, strict=True):
        parts.append(seen(shell, view, copies, names, done, total))
        done += len(shell.galaxies)
    return parts


def _check_memory(shells: list[Shell], footprint: Footprint | None, names: Sequence[str]) -> None:
    """Raise if the galaxies that are expected do not fit into the memory."""
    share = 1.0 if footprint is None else footprint.area / WHOLE_SKY
    number, size = 0.0, 0.0
    for shell in shells:
        box = shell.galaxies
        volume = 4.0 / 3.0 * math.pi * share * (shell.stop**3 - shell.start**3)
        row = sum(box[name].dtype.itemsize for name in names) + _SEEN_BYTES
        number += len(box) * volume / box.snapshot.box_size**3
        size += row * len(box) * volume / box.snapshot.box_size**3
    check_memory(
        f"light cone of about {number:.3g} galaxies",
        round(size),
        "give a footprint, a smaller range of redshifts, or a cut or number density of the box",
    )


def _around(shells: list[Shell], footprint: Footprint | None) -> Extent:
    """Return the cuboid around the survey."""
    return extent(footprint, max(shells[0].start - _HALO, 0.0), shells[-1].stop + _HALO)


def _fitted(word: str, around: Extent, size: float) -> Remapping:
    """Return the remapping that leaves most room around the survey."""
    if word != FIT:
        raise UsageError("remapping", repr(word), f"a Remapping, or {FIT!r}")
    fitted = fitting([x / size for x in around.lengths], around.towards)
    if fitted is None:
        raise UsageError(
            "remapping",
            f"a survey of {around} (along the line of sight, east, north)",
            f"one that fits into a cuboid of the volume of the box, {size:g}^3 (Mpc/h)^3",
            "take a larger box, a narrower footprint or fewer redshifts; or leave the remapping "
            "out, and galaxies are seen more than once",
        )
    return fitted


def _way_out(around: Extent, size: float) -> str:
    """Return how a survey sees nothing twice, in words, if it can."""
    fitted = fitting([x / size for x in around.lengths], around.towards)
    if fitted is None:
        return ""
    sides = " x ".join(f"{x:.5g}" for x in size * fitted.sides)
    return (
        f"; with remapping: {FIT} none is seen twice, as a cuboid of {sides} Mpc/h, of the volume "
        "of the box, holds the survey"
    )


def _served(shell: Shell) -> dict[str, Any]:
    """Return what a shell is made of, for the record."""
    galaxies = shell.galaxies
    provenance = galaxies.provenance
    return {
        "simulation": galaxies.snapshot.name,
        "redshift": galaxies.snapshot.redshift,
        "distance_mpc_h": [shell.start, shell.stop],
        "serves_redshifts": list(shell.redshifts),
        "content_digest": galaxies.digest(),
        "halo_digest": provenance.get("simulation", {}).get("halo_digest"),
        "painter": provenance.get("painter", {}).get("name"),
        "seed": provenance.get("seed"),
        "cuts": [cut.get("cut") for cut in provenance.get("cuts", [])],
    }


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


def _seen_before(shells: list[Shell], view: View) -> float:
    """Return the share of the volume that is a place of the box which is in another copy, too.

    It is that of points spread evenly over the box, and 0 if less than one of them is seen twice.
    """
    box, first, last = shells[0].galaxies, shells[0], shells[-1]
    size = box.snapshot.box_size
    share = 1.0 if view.footprint is None else view.footprint.area / WHOLE_SKY
    boxes = 4.0 / 3.0 * math.pi * share * (last.stop**3 - first.start**3) / size**3
    if boxes > _MANY_BOXES:
        return 1.0 - 1.0 / boxes  # at least
    points = points_in_box(even_points(_POINTS).T * size, box.snapshot)
    whole = Shell(points, first.start, last.stop, (first.redshifts[0], last.redshifts[1]), 0)
    reach, turn = (whole.start, whole.stop), BOX.turn if view.turn is None else view.turn
    copies = copies_of(size, view.observer, reach, view.cap, turn)
    with shown(None):  # takes no time
        found = seen(whole, view, copies, ["galaxy_id"], 0, len(points))
    ids = found.columns["galaxy_id"].whole()
    return (len(ids) - len(np.unique(ids))) / max(len(ids), 1)


def _repeated(columns: Mapping[str, Array]) -> int:
    """Return how many rows are of galaxies of a snapshot that are there before; rows are sorted."""
    number = 0
    for start in range(0, len(columns["copy"]) - 1, BLOCK):
        rows = slice(start, start + BLOCK + 1)
        ids, snapshot = columns["galaxy_id"][rows], columns["copy"][rows] // NEXT_SNAPSHOT
        halo = columns["halo_id"][rows]
        same = (ids[1:] == ids[:-1]) & (halo[1:] == halo[:-1]) & (snapshot[1:] == snapshot[:-1])
        number += int(np.count_nonzero(same))
    return number
