"""A catalogue as a halotools mock: an object in memory, with a table of galaxies."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from ..columns import GALAXY_COLUMNS
from ..errors import UsageError
from ..random import uniform
from ..types import Array, GalaxyCatalog, Particles, Scene, Snapshot
from .halotools_mock import CENTRALS, SATELLITES, HalotoolsMock
from .provenance import plain_table

# Columns that have a name in halotools, in its order; the others follow under their own names. A
# galaxy's halo is its subhalo, as in halotools' subhalo-based mocks: `halo_hostid` and `_host_halo`
# refer to the host.
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
_SAME = 1e-6  # tolerance of facts that files hold as text, or without h
# halotools draws 100,000 by its own random numbers if there are more: this is 5 sigma below that.
PARTICLES = 98_500


def to_halotools(galaxies: GalaxyCatalog, sim: Scene | None = None) -> HalotoolsMock:
    """Return ``galaxies`` as a halotools mock.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        A catalogue in a box.
    sim : Scene, optional
        The simulation that they were painted on, with its particles: about `PARTICLES` of these
        become the mock's ``ptcl_table``.

    Returns
    -------
    HalotoolsMock
        Its ``galaxy_table`` has n rows and the columns

        - ``galid``, ``halo_id`` (the galaxy's own subhalo), ``halo_hostid`` (its host),
          ``halo_upid`` (the host, -1 for centrals);
        - ``x, y, z`` [comoving Mpc/h], in [0, Lbox); ``vx, vy, vz`` [peculiar km/s];
        - ``gal_type``, "centrals" or "satellites", as text of fixed width;
        - ``stellar_mass``, ``subhalo_mass`` (bound), and the mass of the host halo, with its
          definition in the name: ``halo_m200c_host_halo`` [Msun/h];
        - ``halo_vmax`` [km/s], ``extrapolated``, and columns painted in addition to stellar mass,
          if the catalogue has them.

        Numbers are copies; ``meta`` holds the same facts as the headers of files.

    Raises
    ------
    UsageError
        A catalogue on the sky, which has no box, or a simulation that has no particles or is not
        that of the catalogue.
    """
    matter = None if sim is None else _matter(galaxies, sim)
    if galaxies.frame != "box":
        raise UsageError(
            "to_halotools",
            f"a catalogue in the frame {galaxies.frame!r}",
            "one in a periodic box, as halotools has them",
            "convert the catalogue in the box, before it is put on the sky",
        )
    snapshot = galaxies.snapshot
    content = plain_table(galaxies, "h").describe()
    table = Table()

    def add(name: str, values: Array, meaning: str) -> None:
        if name in table.colnames:
            raise UsageError(
                "to_halotools",
                f"a painted column {name}",
                "columns without a name that halotools uses",
                "rename the column in the painter that provides it",
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
    """Return positions of a simulation's matter, each representing the same mass.

    A particle is chosen with a probability proportional to its mass, by a random number keyed by
    its position: the choice does not depend on the order of particles.
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
            "a simulation with particles",
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
    """Return positions of the chosen particles, whose probability is their mass times ``scale``."""
    chosen = [np.empty((0, 3))]
    for chunk in particles.chunks():
        position = np.ascontiguousarray(chunk.position, dtype=np.float64)
        words = position.view(np.int64)
        key = words[:, 0] * 3 + words[:, 1] * 5 + words[:, 2] * 7  # modulo 2^64
        chosen.append(position[uniform(0, "particles for halotools", key) <= chunk.mass * scale])
    return np.concatenate(chosen)


def _ascii(value: str | int | float) -> str | int | float:
    """Return ``value`` as a FITS header can hold it."""
    return value.encode("ascii", "backslashreplace").decode() if isinstance(value, str) else value
