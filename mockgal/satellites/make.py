"""Satellite rows for hosts that have none, drawn from the law that a painter predicts.

Every random number is keyed by the seed, its purpose, the id of the host and the number of the
satellite in its host: the satellites of a host do not depend on the order of rows, on other hosts,
or on how the work is divided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import random
from ..columns import REQUIRED_HALO_COLUMNS
from ..errors import BadValueError, InternalError, MissingDatasetError, UsageError
from ..laws.satellites import SatelliteLaw
from ..layout import POPULATED
from ..system.deferred import Joined
from ..system.parallel import over
from ..types import HaloCatalog, Scene, is_settled, settle
from . import numbers, reference
from .concentration import RELATIONS, Concentration
from .curves import circle_curves, normal, normal_curve
from .ids import Runs, first_ids, settled_ids
from .options import SatelliteOptions
from .profile import SCALED_RADII, dispersion_curve, enclosed, radius_curve
from .rows import Rows, Satellites

Array = NDArray[Any]
Result = TypeVar("Result")

LARGE = 100_000  # with fewer rows, NumPy finishes before compiled code is loaded
BLOCK_ROWS = 1 << 17  # rows made at a time: with fewer, threads wait for the interpreter
_FARTHEST = 100.0  # radii of a host
# Counts of the record, of which those of pieces add up.
_COUNTS = (
    "hosts",
    "hosts_with_satellites",
    "satellites",
    "satellite_ids_drawn_again",
    "satellites_wrapped",
    "hosts_outside_concentration_range",
    "hosts_with_unattainable_variance",
)
_UNIT = 1 << 20  # expected numbers are summed as whole multiples of 1 / _UNIT


def populate(
    scene: Scene,
    law: SatelliteLaw,
    *,
    seed: int,
    options: SatelliteOptions | None = None,
    settled: Mapping[int, int] | None = None,
) -> Scene:
    """Return the scene with satellites, which follow each host.

    Parameters
    ----------
    scene : Scene
        A scene of hosts alone.
    law : SatelliteLaw
        The law of the satellites of each host, in the order of rows.
    seed : int
    options : SatelliteOptions, optional
    settled : mapping of int to int, optional
        For hosts that are a piece of a catalogue: the ids of first satellites that are drawn again,
        by host, as `mockgal.satellites.ids.settle` found them for the whole.

    Returns
    -------
    Scene
        Columns that satellites lack, such as ``vmax``, are left out.
        ``halos.record["populate"]`` has the options and counts.

    Raises
    ------
    UsageError
        The scene already has satellites, or the options do not fit it.
    MissingDatasetError
        The law, or the catalogue, lacks what the options need.
    BadValueError
        A host with satellites has no mass, or an impossible concentration.
    """
    options = options or SatelliteOptions()
    maker = _Maker.of(scene, law, random.check_seed(seed), options)
    number = np.zeros(len(law), dtype=np.int64)
    drawn = maker.over_hosts(lambda part: maker.draw_numbers(part, number))
    before = np.zeros(len(number) + 1, dtype=np.int64)  # satellites of all hosts before each host
    np.cumsum(number, out=before[1:])
    rows, n = Rows.of(int(before[-1])), len(number) + int(before[-1])
    order = np.empty(n, np.int64), np.empty(n, np.bool_)
    first_id, drawn_again = maker.first_ids(number, settled)
    placed = maker.over_hosts(lambda part: maker.fill(part, number, first_id, before, rows, order))
    left_out = [name for name in scene.halos.columns if name not in REQUIRED_HALO_COLUMNS]
    record = {
        "law": law.name,
        "law_origin": dict(law.origin)
        or {"digest": law.digest(np.argsort(scene.halos["halo_id"], kind="stable"))},
        "references": _references(law, options),
        **options.describe(),
        "radius_definition": maker.definition,
        "seed": maker.seed,
        "host_digest": scene.halos.digest(),
        "hosts": len(number),
        "hosts_with_satellites": int(np.count_nonzero(number)),
        "satellites": int(before[-1]),
        "expected_satellites": sum(block.expected for block in drawn) / _UNIT,
        "satellite_ids_drawn_again": drawn_again,
        "satellites_wrapped": sum(block.wrapped for block in placed),
        "hosts_outside_concentration_range": sum(block.outside for block in placed),
        "hosts_with_unattainable_variance": sum(block.unattainable for block in drawn),
        "columns_left_out": left_out,
        "counted_by_law": dict(law.record),
    }
    return Scene(
        scene.snapshot,
        _catalogue(scene.halos, rows, order, {**scene.halos.record, POPULATED: record}),
        scene.particles,
        scene.field,
        scene.members,
    )


def runs_of_ids(scene: Scene, law: SatelliteLaw, *, seed: int, options: SatelliteOptions) -> Runs:
    """Return the ids that the satellites of some hosts have, unless those of others meet them.

    Parameters
    ----------
    scene, law, seed, options
        See `populate`.
    """
    maker = _Maker.of(scene, law, random.check_seed(seed), options)
    number = np.zeros(len(law), dtype=np.int64)
    maker.over_hosts(lambda part: maker.draw_numbers(part, number))
    some = np.flatnonzero(number > 0)
    hosts = np.asarray(scene.halos["halo_id"][some], dtype=np.int64)
    return Runs(hosts, settled_ids(hosts, maker.draw_ids(hosts, 0), {}), number[some])


def add_records(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the record of a populated catalogue, from those of its pieces.

    Counts, and the expected number of satellites, add up; the rest is the same in all.
    """
    total = {**records[0], **{name: sum(one[name] for one in records) for name in _COUNTS}}
    expected = sum(round(one["expected_satellites"] * _UNIT) for one in records)
    by_law = records[0]["counted_by_law"]
    counted = {
        name: sum(one["counted_by_law"][name] for one in records)
        for name, value in by_law.items()
        if isinstance(value, int)
    }
    return total | {
        "expected_satellites": expected / _UNIT,
        "counted_by_law": {**by_law, **counted},
    }


class _Numbers(NamedTuple):
    """Counts for a block of hosts; ``expected`` is the expected satellites times `_UNIT`."""

    expected: int
    unattainable: int


class _Made(NamedTuple):
    """Counts for a block of hosts whose satellites were made."""

    wrapped: int
    outside: int


class _Hosts(NamedTuple):
    """The hosts of a block that have satellites: columns of shape (n,).

    ``enclosed`` is `mockgal.satellites.profile.enclosed` of the concentration; both are NaN if not
    needed. ``law_row`` and ``mass_scale`` come from the law.
    """

    halo_id: Array
    mass: Array
    radius: Array
    circular_velocity: Array
    concentration: Array
    enclosed: Array
    law_row: Array
    mass_scale: Array


class _Maker(NamedTuple):
    """The maker of the satellites of one scene."""

    scene: Scene
    law: SatelliteLaw
    seed: int
    options: SatelliteOptions
    definition: str
    concentration: Concentration | None
    backend: ModuleType
    expected_rows: float
    log_mass_ratio: tuple[Array, ...]
    radius: tuple[Array, ...]

    @classmethod
    def of(cls, scene: Scene, law: SatelliteLaw, seed: int, options: SatelliteOptions) -> _Maker:
        halos = scene.halos
        _check(scene, law, options)
        definition = options.definition(halos)
        concentration = None
        if options.needs_concentration:
            concentration = Concentration(scene, options.concentration, definition)
        backend: ModuleType = reference
        rows = len(law) + float(law.mean.sum())
        if rows >= LARGE:
            from . import kernels

            backend = kernels
        tables = (
            () if table is None else backend.lines(law.probability, np.asarray(table))
            for table in (law.log_mass_ratio, law.radius)
        )
        return cls(scene, law, seed, options, definition, concentration, backend, rows, *tables)

    def over_hosts(self, work: Callable[[slice], Result]) -> list[Result]:
        """Return the results of ``work`` on blocks of hosts, in the order of rows."""
        n, rows = len(self.law), self.expected_rows
        hosts = max(1, int(BLOCK_ROWS * n / max(rows, 1.0)))
        parts = [slice(i, min(i + hosts, n)) for i in range(0, n, hosts)]
        return over(work, parts) if rows >= LARGE else [work(part) for part in parts]

    def draw_numbers(self, part: slice, number: Array) -> _Numbers:
        """Fill in the number of satellites of the hosts in some rows; 0 where the mean is 0."""
        mean = self.law.mean[part]
        expected = int(np.rint(mean * _UNIT).sum())
        some = part.start + np.flatnonzero(mean > 0)
        mean = np.asarray(self.law.mean[some], dtype=np.float64)
        if self.options.numbers == "poisson":
            law, unattainable = numbers.poisson(mean), 0
        else:
            law, unattainable = numbers.measured(mean, np.asarray(self.law.variance[some]))
        ids = np.asarray(self.scene.halos["halo_id"][some], dtype=np.int64)
        u = self.backend.uniform(self.seed, "satellite number", ids)
        drawn = self.backend.quantile(law, u)
        far = np.flatnonzero(drawn < 0)
        if far.size:
            few = numbers.NumberLaw(*(column[far] for column in law))
            drawn[far] = numbers.far_quantile(few, u[far])
        number[some] = drawn
        return _Numbers(expected, unattainable)

    def first_ids(self, number: Array, settled: Mapping[int, int] | None) -> tuple[Array, int]:
        """Return the id of each host's first satellite, and how many were drawn again."""
        with_some = np.flatnonzero(number > 0)
        ids = np.asarray(self.scene.halos["halo_id"], dtype=np.int64)
        first_id = np.zeros(len(number), dtype=np.int64)
        if settled is not None:
            hosts = ids[with_some]
            first_id[with_some] = settled_ids(hosts, self.draw_ids(hosts, 0), settled)
            return first_id, int(np.isin(np.array(list(settled), dtype=np.int64), hosts).sum())
        first_id[with_some], drawn_again = first_ids(
            ids[with_some],
            number[with_some],
            self.draw_ids,
            ids,
        )
        return first_id, drawn_again

    def draw_ids(self, hosts: Array, attempt: int) -> Array:
        """Return a hash of the id of each host in [0, 2^52)."""
        return draw_ids(self.seed, hosts, attempt, self.backend)

    def fill(
        self,
        part: slice,
        number: Array,
        first_id: Array,
        before: Array,
        rows: Rows,
        order: tuple[Array, Array],
    ) -> _Made:
        """Make the satellites of the hosts in some rows, and fill in the order of all."""
        halos = self.scene.halos
        first, last = int(before[part.start]), int(before[part.stop])
        here = slice(part.start + first, part.stop + last)
        self.backend.order(number[part], part.start, *(column[here] for column in order))
        with_some = np.flatnonzero(number[part] > 0)
        hosts, outside = self._hosts(part.start + with_some)
        satellites = Satellites.make(
            hosts.halo_id, number[part][with_some], first_id[part][with_some]
        )
        part_rows = rows.part(first, last)
        wrapped = self.backend.place(
            with_some[satellites.of],
            [np.require(halos[x][part], None, ("C", "A")) for x in ("position", "velocity")],
            self._phase_space(hosts, satellites),
            self.scene.snapshot.period,
            (part_rows.position, part_rows.velocity),
        )
        part_rows.halo_id[...], part_rows.mass[...] = (
            satellites.halo_id,
            self._mass(hosts, satellites),
        )
        return _Made(wrapped, outside)

    def _hosts(self, rows: Array) -> tuple[_Hosts, int]:
        """Return the hosts in these rows, and how many are outside the fitted concentrations."""
        halos, snapshot = self.scene.halos, self.scene.snapshot
        mass, ids = halos["host_mass"][rows], halos["halo_id"][rows]
        good = (mass > 0) & (mass < math.inf)
        if not good.all():
            raise BadValueError(
                f"{snapshot.name}:host_mass",
                f"{mass[~good][0]} for host {ids[~good][0]}, which has satellites by the law "
                f"{self.law.name}",
                "a positive mass",
                "--drop-bad leaves out hosts without a mass",
            )
        radius, velocity = snapshot.cosmology.halo_scale(mass, self.definition, snapshot.redshift)
        c, outside = np.full(len(rows), math.nan), 0
        if self.concentration is not None:
            c, outside = self.concentration.of(rows, mass)
        row = np.asarray(self.law.row[rows], dtype=np.int64)
        scale = row if self.law.mass_scale is None else self.law.mass_scale[rows]
        return _Hosts(ids, mass, radius, velocity, c, enclosed(c), row, scale), outside

    def _uniform(self, purpose: str, satellites: Satellites, draw: int = 0) -> Array:
        result: Array = self.backend.uniform_of(
            self.seed,
            f"satellite {purpose}",
            satellites.host_id,
            satellites.sub_index,
            draw,
        )
        return result

    def _quantile(
        self, purpose: str, hosts: _Hosts, satellites: Satellites, lines: tuple[Array, ...]
    ) -> Array:
        result: Array = self.backend.interpolate(
            self._uniform(purpose, satellites), hosts.law_row[satellites.of], lines
        )
        return result

    def _mass(self, hosts: _Hosts, satellites: Satellites) -> Array:
        """Return bound masses [Msun/h], shape (m,)."""
        ratio = self._quantile("mass", hosts, satellites, self.log_mass_ratio)
        if self.law.mass_scale is not None:
            ratio *= hosts.mass_scale[satellites.of]
        return np.asarray(hosts.mass[satellites.of] * 10.0**ratio)

    def _phase_space(self, hosts: _Hosts, satellites: Satellites) -> tuple[Array, Array]:
        """Return positions [Mpc/h] and velocities [km/s] relative to the host, shapes (m, 3)."""
        of = satellites.of
        c, within = hosts.concentration[of], hosts.enclosed[of]
        if self.options.profile == "nfw":
            s = np.sqrt(2.0 * within * self._uniform("radius", satellites))
            x = s * self.backend.evaluate(radius_curve(), s)
            radius = x / c
        else:
            radius = self._quantile("radius", hosts, satellites, self.radius)
            x = radius * c
        if self.options.velocity == "jeans":
            log_x = np.log(np.maximum(x, SCALED_RADII[0]))
            sigma = np.sqrt(c * x / within * self.backend.evaluate(dispersion_curve(), log_x))
        else:
            sigma = np.asarray(self.law.velocity_dispersion)[hosts.law_row[of]]
        sigma = self.options.velocity_bias * sigma * hosts.circular_velocity[of]
        radius = radius * hosts.radius[of]

        cosine = 2.0 * self._uniform("direction", satellites) - 1.0
        across = radius * np.sqrt((1.0 - cosine) * (1.0 + cosine))
        turn = self._uniform("direction", satellites, draw=1)
        displacement, kick = np.empty((len(of), 3)), np.empty((len(of), 3))
        for axis, curve in enumerate(circle_curves()):
            displacement[:, axis] = across * self.backend.evaluate(curve, turn)
        displacement[:, 2] = radius * cosine
        for axis in range(3):
            u = self._uniform("velocity", satellites, draw=axis)
            kick[:, axis] = sigma * normal(u, self.backend.evaluate(normal_curve(), u))
        return displacement, kick


def draw_ids(seed: int, hosts: Array, attempt: int, backend: ModuleType = reference) -> Array:
    """Return a hash of the id of each host in [0, 2^52), for the ids of its satellites."""
    hashes: Array = backend.id_hash(seed, hosts, attempt)
    return hashes


def check_hosts_only(scene: Scene) -> None:
    """Raise if a scene already has satellites.

    Raises
    ------
    UsageError
        It has some.
    """
    halos = scene.halos
    satellites = len(halos) - int(np.count_nonzero(halos["is_central"]))
    if satellites:
        raise UsageError(
            f"simulation {scene.snapshot.name}",
            f"{satellites} satellites in the catalogue already",
            "hosts without subhalos",
            "leave --populate out: the existing satellites are painted",
        )


def _check(scene: Scene, law: SatelliteLaw, options: SatelliteOptions) -> None:
    check_hosts_only(scene)
    if len(law) != len(scene.halos):
        raise InternalError(
            f"law of satellites {law.name}",
            f"{len(law)} entries for {len(scene.halos)} hosts",
            "one for each, in the order of rows",
            "correct the painter",
        )
    tables = {"profile": (options.profile, law.radius)}
    tables["velocity"] = (options.velocity, law.velocity_dispersion)
    for name, (choice, table) in tables.items():
        if choice == "measured" and table is None:
            raise MissingDatasetError(
                f"law of satellites {law.name}",
                f"no measured {name}",
                f"a measured {name}, for the choice {name} = measured",
                "leave the option out, or choose a painter that has it measured",
            )
    radius = np.asarray(law.radius if options.profile == "measured" else 0.0)
    if not np.all((radius >= 0) & (radius < _FARTHEST)):
        raise InternalError(
            f"law of satellites {law.name}",
            f"radii beyond {_FARTHEST:g} radii of the host, or negative",
            "distances over the host's radius",
            "correct the painter",
        )


def _references(law: SatelliteLaw, options: SatelliteOptions) -> list[str]:
    references = list(law.references)
    if options.needs_concentration and options.concentration in RELATIONS:
        references.append(RELATIONS[str(options.concentration)].reference)
    if options.velocity == "jeans":
        references.append("Lokas & Mamon 2001, doi:10.1046/j.1365-8711.2001.04007.x")
    return references


def _catalogue(
    hosts: HaloCatalog, satellites: Rows, order: tuple[Array, Array], record: dict[str, Any]
) -> HaloCatalog:
    """Return hosts and satellites as a catalogue whose columns are joined on first use.

    The checks of a new catalogue are skipped, since they take twice as long as all the rest: hosts
    have passed them, the ids of satellites are unique, and their hosts are known.
    """
    settled = settle(satellites._asdict())
    for column in order:
        column.flags.writeable = False
    columns: Mapping[str, Array] = Joined(REQUIRED_HALO_COLUMNS, hosts.columns, settled, *order)
    if not all(is_settled(hosts[name]) for name in REQUIRED_HALO_COLUMNS):
        columns = MappingProxyType(dict(columns))  # now, before anyone writes to the hosts
    halos = object.__new__(HaloCatalog)
    for name, value in (
        ("columns", columns),
        ("mass_definition", hosts.mass_definition),
        ("_made_for", hosts),
        ("record", MappingProxyType(record)),
    ):
        object.__setattr__(halos, name, value)
    return halos
