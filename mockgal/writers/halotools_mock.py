"""A halotools mock object, with the methods that users call on halotools' own mocks.

halotools is imported only when something is computed: its import makes a folder in the home
directory and switches off NumPy's warnings for the whole process; the latter is undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.cosmology import FLRW
from astropy.table import Table

from ..errors import MockgalError, UsageError, warn
from ..types import Array

CENTRALS, SATELLITES = "centrals", "satellites"
_LARGEST_SHARE = 1.0 / 3.0  # of the box: halotools finds pairs up to this separation
# Attributes of halotools' own mocks that come from their model.
_OF_A_MODEL = (
    *("model", "populate", "halo_table", "preprocess_halo_catalog", "allocate_memory"),
    *("estimate_ngals", "precompute_galprops", "additional_haloprops"),
)


@dataclass(frozen=True, eq=False)
class HalotoolsMock:
    """Galaxies in the form of halotools' mocks, in comoving Mpc/h, Msun/h and peculiar km/s.

    Parameters
    ----------
    galaxy_table : astropy.table.Table
        One row for each galaxy; see `mockgal.to_halotools` for the columns.
    Lbox : ndarray, shape (3,)
        Sides of the periodic box [Mpc/h].
    redshift : float
    cosmology : astropy.cosmology.FLRW
        Without radiation.
    particle_mass : float or None
        Particle mass of the simulation [Msun/h]; None if it is not stated.
    simname : str
    gal_types : tuple of str
        Possible values of `gal_type`.
    provenance : dict
        How the galaxies were made.
    particles : astropy.table.Table or None
        Positions ``x, y, z`` [Mpc/h] of matter; each particle represents the same mass.
    """

    galaxy_table: Table
    Lbox: Array
    redshift: float
    cosmology: FLRW
    particle_mass: float | None
    simname: str
    gal_types: tuple[str, ...]
    provenance: dict[str, Any]
    particles: Table | None = None

    def __getattr__(self, name: str) -> Any:
        if name in _OF_A_MODEL:
            raise AttributeError(
                f"a mock of mockgal has no {name!r}: it was not made by a halotools model. "
                "mockgal.to_halotools_model(sim) is such a model, and populates halo catalogues"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def Ngals(self) -> int:
        """Number of galaxies."""
        return len(self.galaxy_table)

    @property
    def number_density(self) -> float:
        """Number of galaxies per (Mpc/h)^3."""
        return float(self.Ngals / np.prod(self.Lbox))

    @property
    def satellite_fraction(self) -> float:
        """Fraction of galaxies that are satellites; NaN without galaxies."""
        if not self.Ngals:
            return float("nan")
        return float(np.mean(self.galaxy_table["gal_type"] == SATELLITES))

    @property
    def ptcl_table(self) -> Table:
        """Positions of matter, ``x, y, z`` [Mpc/h].

        Raises
        ------
        UsageError
            The mock was made without its simulation.
        """
        if self.particles is None:
            raise UsageError(
                "ptcl_table of a mock",
                "no particles: it was made from a catalogue alone",
                "a mock made with its simulation",
                "call mockgal.to_halotools(mock, sim), where sim has particles",
            )
        return self.particles

    def compute_galaxy_clustering(self, include_crosscorr: bool = False, **kwargs: Any) -> Any:
        """Return the correlation function xi(r), by halotools' own `MockFactory`.

        Parameters
        ----------
        include_crosscorr : bool
            Also return xi of the galaxies that a mask excludes, and the cross-correlation.
        **kwargs
            ``rbins`` [Mpc/h], by default those of halotools up to a third of the box; a mask:
            ``mask_function``, or a column, such as ``gal_type="centrals"``; and ``num_threads``,
            by default 1: for more, halotools forks, which may hang in a process that has threads,
            as after painting.

        Returns
        -------
        tuple of ndarray
            Midpoints of the bins [Mpc/h], shape (n,), and xi, shape (n,); with
            ``include_crosscorr`` xi three times: masked, cross, excluded.

        Raises
        ------
        UsageError
            Bins beyond a third of the box, no galaxy that passes the mask, or anything else that
            halotools refuses.
        """
        with _halotools("compute_galaxy_clustering"):
            from halotools.empirical_models import MockFactory

            kwargs = self._checked(kwargs)
            return MockFactory.compute_galaxy_clustering(self, include_crosscorr, **kwargs)

    def compute_galaxy_matter_cross_clustering(
        self, include_complement: bool = False, seed: int | None = None, **kwargs: Any
    ) -> Any:
        """Return the correlation of galaxies with matter, by halotools' own `MockFactory`.

        Parameters
        ----------
        include_complement : bool
            Also return xi of the galaxies that a mask excludes.
        seed : int, optional
            Seed for the particles that halotools draws if there are more than 100,000.
        **kwargs
            See `compute_galaxy_clustering`.

        Returns
        -------
        tuple of ndarray
            Midpoints of the bins [Mpc/h], shape (n,), and xi, shape (n,); with
            ``include_complement`` xi twice: masked, excluded.

        Raises
        ------
        UsageError
            See `compute_galaxy_clustering`; or the mock was made without particles.
        """
        self.ptcl_table  # noqa: B018 - refuse before halotools is imported
        with _halotools("compute_galaxy_matter_cross_clustering"):
            from halotools.empirical_models import MockFactory

            kwargs = self._checked(kwargs)
            return MockFactory.compute_galaxy_matter_cross_clustering(
                self, include_complement, seed, **kwargs
            )

    def compute_fof_group_ids(
        self,
        zspace: bool = True,
        b_perp: float | None = None,
        b_para: float | None = None,
        num_threads: int | str = 1,
    ) -> Array:
        """Return the friends-of-friends group of each galaxy, found by halotools' `FoFGroups`.

        halotools' own method adds velocity over 100 km/s to the z of the galaxy table itself: a
        second call moves galaxies again, and the redshift is ignored. Here galaxies are moved by
        (1 + z) v_z / H(z), and the table is not changed.

        Parameters
        ----------
        zspace : bool
            Find groups in redshift space, along z.
        b_perp, b_para : float, optional
            Linking lengths across and along the line of sight, in units of the mean separation; by
            default those of halotools (0.2 and 0.75).
        num_threads : int or str
            See `compute_galaxy_clustering`; ``"max"`` for all cores.

        Returns
        -------
        ndarray of int, shape (n,)
            Group ids, in the order of ``galaxy_table``.

        Raises
        ------
        UsageError
            Linking lengths beyond a third of the box, or no galaxies.
        """
        with _halotools("compute_fof_group_ids"):
            from halotools.empirical_models import model_defaults
            from halotools.mock_observables import FoFGroups

            if not self.Ngals:
                raise ValueError("no galaxies")
            position = np.column_stack([np.asarray(self.galaxy_table[x], float) for x in "xyz"])
            if zspace:
                e = float(self.cosmology.efunc(self.redshift))
                shift = np.asarray(self.galaxy_table["vz"]) * (1.0 + self.redshift) / (100.0 * e)
                position[:, 2] = np.mod(position[:, 2] + shift, self.Lbox[2])
                position[position[:, 2] >= self.Lbox[2], 2] = 0.0  # from a tiny negative one
            groups = FoFGroups(
                positions=position,
                b_perp=model_defaults.default_b_perp if b_perp is None else b_perp,
                b_para=model_defaults.default_b_para if b_para is None else b_para,
                Lbox=self.Lbox,
                num_threads=num_threads,
            )
            return np.asarray(groups.group_ids)

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the checked options of a correlation function: halotools ignores unknown ones."""
        allowed = ["rbins", "num_threads", "mask_function", *self.galaxy_table.colnames]
        unknown = [name for name in options if name not in allowed]
        if unknown:
            raise UsageError("a mock", f"option {unknown[0]}", "one of " + ", ".join(allowed))
        return {"num_threads": 1, **options, "rbins": self._bins(options.get("rbins"))}

    def _bins(self, bins: Any) -> Array:
        """Return the bin edges [Mpc/h], which must be below a third of the box for halotools."""
        from halotools.empirical_models import model_defaults

        most = float(min(self.Lbox)) * _LARGEST_SHARE
        if bins is not None:
            edges = np.asarray(bins, dtype=np.float64)
            if edges.ndim == 1 and len(edges) > 1 and edges[-1] >= most:
                raise UsageError(
                    "rbins",
                    f"bins up to {edges.max():.6g} Mpc/h",
                    f"bins below a third of the box, {most:.6g} Mpc/h",
                    "leave the last ones out",
                )
            return edges
        default = np.asarray(model_defaults.default_rbins)
        fits = default[default < most]
        if len(fits) < 2:
            raise UsageError(
                "rbins",
                f"halotools' default bins, from {default[0]:g} Mpc/h",
                f"bins below a third of the box, {most:.6g} Mpc/h",
                "give rbins",
            )
        if len(fits) < len(default):
            warn(
                f"xi in halotools' default bins up to {fits[-1]:.4g} Mpc/h: those up to "
                f"{default[-1]:.4g} Mpc/h do not fit in a third of the box of {self.Lbox[0]:g} "
                "Mpc/h",
            )
        return fits


@contextmanager
def _halotools(where: str) -> Iterator[None]:
    """Restore NumPy's warnings, which halotools switches off, and shorten its errors.

    Within the block, warnings are off where halotools relies on it.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        from halotools.custom_exceptions import HalotoolsError

        try:
            yield
        except MockgalError:
            raise
        except (HalotoolsError, ValueError, IndexError, KeyError) as error:
            text = " ".join(str(error).split())
            raise UsageError(
                f"{where} of a mock",
                f"a request that halotools refuses ({text})",
            ) from error
