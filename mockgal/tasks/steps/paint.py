"""Populate, paint and select, one function each."""

from __future__ import annotations

import inspect as introspection
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

from ...errors import UsageError, listening
from ...laws.distribution import Distribution
from ...laws.satellites import SatelliteLaw
from ...layout import WARNINGS
from ...options import check_names
from ...painters.choose import check_painter_options, guarded, made, predict_satellites
from ...protocols import Painter, takes
from ...types import GalaxyCatalog, Scene

if TYPE_CHECKING:
    from ...satellites.options import SatelliteOptions


@takes(Scene)
def paint(
    sim: Scene, painter: str | Painter = "hod", *, seed: int, **options: Any
) -> GalaxyCatalog:
    """Give every subhalo of ``sim`` its galaxy.

    Parameters
    ----------
    sim : Scene
    painter : str or Painter
        A name (`mockgal.registry`) or a painter.
    seed : int
        The same simulation, painter and seed give the same galaxies.
    **options
        Options of the painter, such as ``calibration="gadget4-z0.00"``.

    Returns
    -------
    GalaxyCatalog
        One row for each luminous subhalo, in comoving Mpc/h, Msun/h and peculiar km/s, with the
        painter's prediction, what was not painted, and all warnings in its provenance.

    Raises
    ------
    UsageError
        There is no such painter or option.
    DomainError
        The simulation is outside the range in which the painter is valid.
    MissingDatasetError
        It lacks something that the painter needs, such as particles.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> len(mock), mock["stellar_mass"].shape
    (333, (333,))
    """
    name = painter if isinstance(painter, str) else None
    painter = made("paint", painter, options)
    with guarded(name, sim):
        return paint_with(sim, painter, seed)


def paint_with(
    sim: Scene, painter: Painter, seed: int, predict: Callable[[], Distribution] | None = None
) -> GalaxyCatalog:
    """Do what `paint` does, with a painter, or with its prediction if there is one."""
    from ...painters.draw import join, paint_scene
    from ...survey.sky import observe

    pieces = (paint_scene(tile, painter, seed=seed, predict=predict) for tile in tiles(sim))
    galaxies = recording(lambda: join(list(pieces), sim))
    return galaxies if galaxies.frame == "box" else observe(galaxies)


@takes(Scene)
def populate(
    sim: Scene,
    painter: str | Painter | SatelliteLaw = "hod",
    *,
    seed: int,
    numbers: str = "poisson",
    profile: str = "nfw",
    concentration: str | float = "duffy08",
    velocity: str = "jeans",
    velocity_bias: float = 1.0,
    radius_definition: str | None = None,
    **painter_options: Any,
) -> Scene:
    """Add satellites to hosts that come without subhalos, before they are painted.

    Parameters
    ----------
    sim : Scene
        A catalogue of hosts alone.
    painter : str, Painter or SatelliteLaw
        A painter that predicts satellites, by name or as an object; or the law itself.
    seed : int
        The same hosts, law, options and seed give the same satellites.
    numbers : str
        Distribution of the number of satellites: ``"poisson"``, or ``"measured"`` for the
        variance of the law.
    profile : str
        Positions of satellites: ``"nfw"`` within the host's radius, or ``"measured"`` for the
        radii of the law.
    concentration : str or float
        Concentration of the hosts: ``"duffy08"``, ``"dutton_maccio14"``, ``"catalogue"`` for the
        column of the input, or one number.
    velocity : str
        Velocities of satellites: ``"jeans"`` for isotropic orbits in an NFW halo, or
        ``"measured"`` for the dispersion of the law.
    velocity_bias : float
        Factor on the velocity dispersion.
    radius_definition : str, optional
        Only for friends-of-friends masses, which have no radius: the definition to assume for
        them, 200c, 500c, 200m or vir.
    **painter_options
        Options of a painter given by name, as for `paint`: ``calibration="my-run.ecsv"``, or
        ``model="leauthaud11", luminosity_floor="1e9 Msun/h"``.

    Returns
    -------
    Scene
        Hosts and satellites, with the options and counts in ``halos.record["populate"]``.

    Raises
    ------
    UsageError
        An option is unknown, the painter predicts no satellites, or hosts already have some.
    MockgalError
        See `mockgal.satellites.make.populate`.

    Examples
    --------
    >>> import dataclasses
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> hosts = sim.halos.take(sim.halos["is_central"].nonzero()[0])
    >>> alone = dataclasses.replace(sim, halos=hosts)
    >>> full = mockgal.populate(alone, "hod", seed=1)
    >>> len(full.halos) - len(hosts) == full.halos.record["populate"]["satellites"]
    True
    """
    arguments = locals()
    from ...satellites.options import SatelliteOptions

    options = SatelliteOptions(
        **{field.name: arguments[field.name] for field in fields(SatelliteOptions)}
    )
    if isinstance(painter, str):
        check_painter_options("populate", painter, painter_options, asdict(options))
    elif painter_options:
        raise UsageError(
            "populate",
            f"option {', '.join(painter_options)}",
            "one of " + ", ".join(asdict(options)),
            "set the options when you make the painter, or pass the painter by name",
        )
    return populate_with(sim, painter, seed, options, painter_options)


def satellite_options(options: dict[str, Any]) -> SatelliteOptions:
    """Return the checked options of `populate`.

    Raises
    ------
    UsageError
        An option is unknown, or its value is not allowed.
    """
    from ...satellites.options import SatelliteOptions

    check_names("populate", options, introspection.signature(SatelliteOptions).parameters)
    return SatelliteOptions(**options)


def populate_with(
    sim: Scene,
    painter: str | Painter | SatelliteLaw,
    seed: int,
    options: SatelliteOptions,
    painter_options: dict[str, Any],
) -> Scene:
    """Do what `populate` does, with checked options."""
    from ...satellites.make import check_hosts_only
    from ...satellites.make import populate as make_satellites

    check_hosts_only(sim)
    with listening() as warnings:
        if isinstance(painter, SatelliteLaw):
            law = painter
        else:
            with guarded(painter if isinstance(painter, str) else None, sim):
                law = predict_satellites(sim, made("populate", painter, painter_options))
        populated = make_satellites(sim, law, seed=seed, options=options)
    if not warnings:
        return populated
    record = {**populated.snapshot.record, WARNINGS[1]: warnings}
    return replace(populated, snapshot=replace(populated.snapshot, record=record))


def recording(make: Callable[[], GalaxyCatalog]) -> GalaxyCatalog:
    """Return the catalogue from ``make``, with the warnings of that call in its provenance."""
    with listening() as warnings:
        galaxies = make()
    return galaxies.with_provenance(warnings=[*galaxies.provenance.get("warnings", []), *warnings])


def tiles(sim: Scene) -> Iterator[Scene]:
    """Yield the tiles of a box; a box whose halos fit in memory is one tile."""
    yield sim


@takes(GalaxyCatalog)
def select(galaxies: GalaxyCatalog, *cuts: str) -> GalaxyCatalog:
    """Return the galaxies that pass all cuts.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    *cuts : str
        Such as ``"stellar_mass > 1e9 Msun/h"``: a column, a comparison, and a number with its unit
        (docs/reference/cuts.md).

    Returns
    -------
    GalaxyCatalog
        Each cut is recorded, with the numbers of galaxies before and after.

    Raises
    ------
    CutError
        A cut cannot be parsed, or lacks its unit.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> bright = mockgal.select(mock, "stellar_mass > 3e9 Msun/h")
    >>> len(bright), bright.provenance["cuts"][0]["before"]
    (297, 333)
    """
    from ...selection.cuts import select as apply_cuts

    return recording(lambda: apply_cuts(galaxies, *cuts))
