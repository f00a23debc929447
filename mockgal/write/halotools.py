"""A catalogue as a mock of halotools: an object in memory, with a table of galaxies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.cosmology import FLRW
from astropy.table import Table

from ..columns import GALAXY_COLUMNS, PAINTED
from ..errors import UsageError
from ..types import Array, GalaxyCatalog
from .provenance import describe

CENTRALS, SATELLITES = "centrals", "satellites"
# Columns that have a name in halotools; the others keep theirs. A galaxy's halo is its subhalo, as
# in halotools' mocks by subhalos: `halo_hostid` and `_host_halo` tell of the host.
_NAMES = {
    "galid": "galaxy_id",
    "halo_id": "galaxy_id",
    "halo_hostid": "halo_id",
    **{x: f"position_{x}" for x in "xyz"},
    **{f"v{x}": f"velocity_{x}" for x in "xyz"},
    "stellar_mass": "stellar_mass",
    "subhalo_mass": "subhalo_mass",
    "halo_vmax": "vmax",
    "extrapolated": "extrapolated",
    **{column.name: column.name for column in PAINTED.values()},
}
_FLAT = 1e-9  # of Omega_k


@dataclass(frozen=True, eq=False)
class HalotoolsMock:
    """Galaxies in the form of halotools' mocks, in comoving Mpc/h, Msun/h and peculiar km/s.

    Parameters
    ----------
    galaxy_table : astropy.table.Table
        One row for each galaxy: `to_halotools` gives the columns.
    Lbox : ndarray, shape (3,)
        Sides of the periodic box [Mpc/h].
    redshift : float
    cosmology : astropy.cosmology.FLRW
        Without radiation.
    particle_mass : float or None
        Of the simulation [Msun/h]; None where it does not say.
    simname : str
    gal_types : tuple of str
        What `gal_type` may be.
    provenance : dict
        What was done to make the galaxies.
    """

    galaxy_table: Table
    Lbox: Array
    redshift: float
    cosmology: FLRW
    particle_mass: float | None
    simname: str
    gal_types: tuple[str, ...]
    provenance: dict[str, Any]

    @property
    def Ngals(self) -> int:
        """Number of galaxies."""
        return len(self.galaxy_table)

    @property
    def number_density(self) -> float:
        """Galaxies for each (Mpc/h)^3."""
        return float(self.Ngals / np.prod(self.Lbox))

    @property
    def satellite_fraction(self) -> float:
        """Share of the galaxies that are satellites; NaN without galaxies."""
        if not self.Ngals:
            return float("nan")
        return float(np.mean(self.galaxy_table["gal_type"] == SATELLITES))

    def compute_galaxy_clustering(self, include_crosscorr: bool = False, **kwargs: Any) -> Any:
        """The correlation function xi(r), by halotools' own `MockFactory`.

        Parameters
        ----------
        include_crosscorr : bool
            Also that of the galaxies that a mask leaves out, and between both.
        **kwargs
            ``rbins`` [Mpc/h], ``num_threads`` (all cores by default), and a mask: ``mask_function``
            or a column, such as ``gal_type="centrals"``.

        Returns
        -------
        tuple of ndarray
            Midpoints of the bins [Mpc/h], shape (n,), and xi, shape (n,); with
            ``include_crosscorr`` xi three times: masked, across, left out.
        """
        # Importing halotools switches off NumPy's warnings for the whole process; here it does
        # not, but where halotools counts on it.
        with np.errstate(divide="ignore", invalid="ignore"):
            from halotools.empirical_models import MockFactory

            return MockFactory.compute_galaxy_clustering(self, include_crosscorr, **kwargs)


def to_halotools(galaxies: GalaxyCatalog) -> HalotoolsMock:
    """``galaxies`` as a mock of halotools.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a box.

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
        A catalogue on the sky, which has no box.
    """
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
        table[name] = values
        table[name].info.description = meaning

    central = galaxies["is_central"]
    for name, own in _NAMES.items():
        if own in galaxies:
            column = GALAXY_COLUMNS[own]
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
    )


def _ascii(value: str | int | float) -> str | int | float:
    """``value`` as a header of FITS can hold it."""
    return value.encode("ascii", "backslashreplace").decode() if isinstance(value, str) else value
