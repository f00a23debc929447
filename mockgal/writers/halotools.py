"""A catalogue as a mock of halotools: an object in memory, with a table of galaxies."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from ..columns import GALAXY_COLUMNS
from ..errors import UsageError
from ..random import uniform
from ..types import Array, GalaxyCatalog, Particles, Scene, Snapshot
from .halotools_mock import CENTRALS, SATELLITES, HalotoolsMock
from .provenance import describe

# Columns that have a name in halotools, in its order; the others follow, and keep theirs. A
# galaxy's halo is its subhalo, as in halotools' mocks by subhalos: `halo_hostid` and `_host_halo`
# tell of the host.
_NAMES = {
    "galid": "galaxy_id",
    "halo_id": "galaxy_id",
    "halo_hostid": "halo_id",
    **{x: f"position_{x}" for x in "xyz"},
    **{f"v{x}": f"velocity_{x}" for x in "xyz"},
    **{name: name for name in ("stellar_mass", "subhalo_mass")},
    "halo_vmax": "vmax",
}
_IN_ANOTHER_FORM = ("is_central", "halo_mass")  # the latter with its definition in the name
_FLAT = 1e-9  # of Omega_k
_SAME = 1e-6  # facts that are in files as text, or free of h
# halotools draws 100,000 anew, by its own numbers, where there are more: 5 sigma below that.
PARTICLES = 98_500


def to_halotools(galaxies: GalaxyCatalog, sim: Scene | None = None) -> HalotoolsMock:
    """Return ``galaxies`` as a mock of halotools.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a box.
    sim : Scene, optional
        The simulation that they were painted on, with its particles: of these about
        `PARTICLES` become the mock's ``ptcl_table``.

    Returns
    -------
    HalotoolsMock
        Its ``galaxy_table`` has n rows and the columns

        - ``galid``, ``halo_id`` (the galaxy's own subhalo), ``halo_hostid`` (its host),
          ``halo_upid`` (the host, -1 for centrals);
        - ``x, y, z`` [comoving Mpc/h], in [0, Lbox); ``vx, vy, vz`` [peculiar km/s];
        - ``gal_type``, "centrals" or "satellites", as text of fixed width;
        - ``stellar_mass``, ``subhalo_mass`` (bound), and the mass of the host halo, its definition
          in the name: ``halo_m200c_host_halo`` [Msun/h];
        - ``halo_vmax`` [km/s], ``extrapolated``, and columns painted beside stellar mass, where the
          catalogue has them.

        Numbers are copies; ``meta`` holds what the headers of files hold.

    Raises
    ------
    UsageError
        A catalogue on the sky, which has no box; a simulation without particles, or another one.
    """
    matter = None if sim is None else _matter(galaxies, sim)
    if galaxies.frame != "box":
        raise UsageError(
            "to_halotools",
            f"a catalogue in the frame {galaxies.frame!r}",
            "one in a periodic box, as halotools has them",
            "convert it before it is put on the sky",
        )
    snapshot = galaxies.snapshot
    content = describe(galaxies, "h")
    table = Table()

    def add(name: str, values: Array, meaning: str) -> None:
        if name in table.colnames:
            raise UsageError(
                "to_halotools",
                f"a painted column {name}",
                "columns that have no name of halotools' own",
                "give it another name where its painter provides it",
            )
        table[name] = values
        table[name].info.description = meaning

    central = galaxies["is_central"]
    declared = galaxies.declared
    others = set(declared) - {*_NAMES.values(), *_IN_ANOTHER_FORM}
    for name, own in [*_NAMES.items(), *((name, name) for name in declared if name in others)]:
        if own in galaxies:
            column = declared[own]
            unit = f" [{column.unit_label}]" if column.unit else ""
            add(name, galaxies[own], column.meaning + unit)
        if name == "halo_hostid":
            upid = np.where(central, -1, galaxies["halo_id"])
            add("halo_upid", upid, "id of the host halo, -1 for the galaxy of a central")
        if name == "vz":
            add("gal_type", np.where(central, CENTRALS, SATELLITES), "central or satellite")
    definition = dict(galaxies.provenance.get("simulation") or {}).get("mass_definition")
    host_mass = GALAXY_COLUMNS["halo_mass"]
    add(
        f"halo_m{definition or 'ass'}_host_halo",
        galaxies["halo_mass"],
        f"{host_mass.meaning} [{host_mass.unit_label}]",
    )
    table.meta.update({item.keyword: _ascii(item.value) for item in content.essentials})
    return HalotoolsMock(
        galaxy_table=table,
        Lbox=np.full(3, snapshot.box_size),
        redshift=snapshot.redshift,
        cosmology=snapshot.cosmology.as_astropy(),
        particle_mass=snapshot.particle_mass,
        simname=snapshot.name,
        gal_types=(CENTRALS, SATELLITES),
        provenance=dict(galaxies.provenance),
        particles=matter,
    )


def _matter(galaxies: GalaxyCatalog, sim: Scene) -> Table:
    """Return positions of a simulation's matter, each standing for the same mass.

    A particle is taken with a probability in proportion to its mass, by a number that is keyed by
    its position: the same ones whatever their order.
    """
    ours, theirs = galaxies.snapshot, sim.snapshot
    if not np.allclose(_facts(galaxies.snapshot), _facts(sim.snapshot), rtol=_SAME, atol=_SAME):
        raise UsageError(
            "to_halotools",
            f"a simulation of {theirs.box_size:.6g} Mpc/h at redshift {theirs.redshift:.6g}",
            f"that of the galaxies, {ours.box_size:.6g} Mpc/h at redshift {ours.redshift:.6g}, in "
            "the same cosmology",
            "give the simulation that they were painted on",
        )
    if sim.particles is None:
        raise UsageError(
            "to_halotools",
            f"simulation {theirs.name} without particles",
            "one with them",
            "leave it out: only the correlation with matter needs it",
        )
    total, heaviest = 0.0, 0.0
    for chunk in sim.particles.chunks():
        total += float(chunk.mass.sum())
        heaviest = max(heaviest, float(chunk.mass.max(initial=0.0)))
    scale = min(PARTICLES / total, 1.0 / heaviest) if total else 0.0
    table = Table(_drawn(sim.particles, scale), names=("x", "y", "z"))
    table.meta = {"particles_of_the_simulation": sim.particles.count, "unit": "Mpc/h"}
    return table


def _facts(snapshot: Snapshot) -> list[float]:
    c = snapshot.cosmology
    return [snapshot.box_size, snapshot.redshift, c.h, c.omega_m, c.omega_lambda]


def _drawn(particles: Particles, scale: float) -> Array:
    """Return positions of the particles that are taken, with a probability of mass times scale."""
    taken = [np.empty((0, 3))]
    for chunk in particles.chunks():
        position = np.ascontiguousarray(chunk.position, dtype=np.float64)
        words = position.view(np.int64)
        key = words[:, 0] * 3 + words[:, 1] * 5 + words[:, 2] * 7  # modulo 2^64
        taken.append(position[uniform(0, "particles for halotools", key) <= chunk.mass * scale])
    return np.concatenate(taken)


def _ascii(value: str | int | float) -> str | int | float:
    """``value`` as a header of FITS can hold it."""
    return value.encode("ascii", "backslashreplace").decode() if isinstance(value, str) else value
