"""The HOD as a composite model of halotools, which populates halo catalogues by itself.

Only this module imports halotools at once; the changes that it makes to NumPy's settings are
undone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.utils.misc import NumpyRNGContext
from numpy.typing import NDArray

from ...errors import UsageError
from ...laws.distribution import Distribution, inverse_cdf
from ...protocols import Painter
from ...types import Scene
from ..hod.painter import HODPainter, mass_limit
from ..hod.rows import hydro_masses, luminous_probability, table_row
from ..hod.satellites import mean_luminous_satellites
from ..hod.table import HODTable
from .laws import halotools_switches
from .models import ModelPainter
from .parameters import WITHOUT

with halotools_switches():
    from halotools.empirical_models import (
        HodModelFactory,
        NFWPhaseSpace,
        OccupationComponent,
        TrivialPhaseSpace,
        leauthaud11_model_dictionary,
        zheng07_model_dictionary,
    )

Array = NDArray[Any]
_GALAXIES = ("centrals", "satellites")  # halotools' names of a table's kinds


@dataclass(frozen=True)
class TableLaw:
    """Law of a calibration table for hosts of a gravity-only run whose subhalos are unknown.

    Parameters
    ----------
    table : HODTable
        A table with centrals binned by the mass of their host.
    least_mass : float
        Lowest mass of a painted subhalo [Msun/h].
    """

    table: HODTable
    least_mass: float

    def distribution(self, kind: int, host_mass: Array) -> Distribution:
        """Return the law of galaxies of a kind; satellites' ``p_luminous`` is their mean number.

        Parameters
        ----------
        kind : int
            0 for centrals, 1 for satellites.
        host_mass : ndarray, shape (n,)
            Host masses in the gravity-only run [Msun/h].
        """
        table, n = self.table, len(host_mass)
        log_host, _ = hydro_masses(table, host_mass, host_mass)
        row = table_row(table, np.full(n, kind), log_host)
        if kind == 0:
            number = luminous_probability(table, row, log_host)
        else:
            number = mean_luminous_satellites(table, host_mass, self.least_mass)
        location = table.median_log_stellar_mass(kind, log_host)
        floor = math.log10(table.luminosity_floor)
        with np.errstate(invalid="ignore"):
            bright = location + table.columns["residual_quantiles"][row, -1] > floor
        there = bright & (log_host >= table.edges(kind)[0])
        return Distribution(
            p_luminous=np.where(there, number, 0.0),
            location=np.where(there, location, 0.0),
            scale=np.ones(n),
            residual_row=row,
            residual_probability=table.residual_probability,
            residual_quantiles=table.columns["residual_quantiles"],
            floor=floor,
            extrapolated=log_host >= table.edges(kind)[-1],
        )


class _TableOccupation(OccupationComponent):  # type: ignore[misc]
    """Numbers of galaxies of one kind from a table: nearest-integer (centrals) or Poisson."""

    def __init__(self, law: TableLaw, kind: int, mass_key: str, publications: list[str]) -> None:
        super().__init__(
            gal_type=_GALAXIES[kind],
            threshold=math.log10(law.table.luminosity_floor),
            upper_occupation_bound=math.inf if kind else 1.0,
            prim_haloprop_key=mass_key,
        )
        self.law, self.kind, self.publications = law, kind, publications

    def mean_occupation(self, **kwargs: Any) -> Array:
        """Return the mean number per host in ``table`` or ``prim_haloprop`` [Msun/h], (n,)."""
        mass = kwargs["table"][self.prim_haloprop_key] if "table" in kwargs else None
        mass = np.atleast_1d(kwargs["prim_haloprop"] if mass is None else mass).astype(np.float64)
        return self.law.distribution(self.kind, mass).p_luminous


class _TableStellarMass:
    """Stellar masses [Msun/h] of galaxies of one kind, from a table."""

    def __init__(self, law: TableLaw, kind: int, mass_key: str) -> None:
        self.law, self.kind, self.prim_haloprop_key = law, kind, mass_key
        self.gal_type, self.param_dict = _GALAXIES[kind], dict[str, float]()
        self._methods_to_inherit = ["mc_stellar_mass"]
        self._mock_generation_calling_sequence = ["mc_stellar_mass"]
        self._galprop_dtypes_to_allocate = np.dtype([("stellar_mass", "f8")])

    def mc_stellar_mass(self, seed: int | None = None, **kwargs: Any) -> Array:
        """Draw stellar masses for a ``table`` of galaxies, or for ``prim_haloprop`` [Msun/h].

        halotools' own generator draws them, so that they depend on the order of galaxies.
        """
        table = kwargs.get("table")
        mass = kwargs["prim_haloprop"] if table is None else table[self.prim_haloprop_key]
        mass = np.atleast_1d(mass).astype(np.float64)
        with NumpyRNGContext(seed):
            u = np.random.random(len(mass))  # noqa: NPY002 - the generator that halotools seeds
        result = 10.0 ** inverse_cdf(self.law.distribution(self.kind, mass), u)
        if table is not None:
            table["stellar_mass"][:] = result
        return np.asarray(result)


class CompositeModel(HodModelFactory):  # type: ignore[misc]
    """halotools' factory, which here populates all hosts, not only those of 300 particles."""

    def populate_mock(self, halocat: Any, Num_ptcl_requirement: float = 0, **kwargs: Any) -> None:
        """Populate as `HodModelFactory` does, by default without a least number of particles."""
        kwargs.setdefault("halo_mass_column_key", self._mass_key)
        with halotools_switches():
            super().populate_mock(halocat, Num_ptcl_requirement=Num_ptcl_requirement, **kwargs)

    @property
    def _mass_key(self) -> str:
        return str(self.model_dictionary["centrals_occupation"].prim_haloprop_key)


def to_halotools_model(painter: Painter, scene: Scene) -> CompositeModel:
    """Return a painter as a composite model of halotools.

    Parameters
    ----------
    painter : Painter
        `HODPainter` or `ModelPainter`. A `ModelPainter` becomes halotools' own composite with the
        same parameters, without stellar masses.
    scene : Scene
        The simulation that the model is for: its redshift, cosmology and mass definition.

    Returns
    -------
    CompositeModel
        ``mean_occupation_centrals`` and ``mean_occupation_satellites`` of ``prim_haloprop``, the
        host mass [Msun/h], and ``populate_mock``, whose ``galaxy_table`` has ``stellar_mass``
        [Msun/h]. Centrals sit at the centres of hosts, satellites follow an NFW profile with the
        concentration in the column ``halo_nfw_conc``.

    Raises
    ------
    UsageError
        The painter's galaxies depend on more than the mass of their host.
    DomainError, MissingDatasetError
        See the painter's ``predict``.
    """
    snapshot = scene.snapshot
    place: dict[str, Any] = {
        "redshift": snapshot.redshift,
        "cosmology": snapshot.cosmology.as_astropy(),
    }
    if isinstance(painter, ModelPainter):
        painter.check_domain(scene)
        _refuse_bias(painter)
        definition = painter.mass_definition(scene)
        place |= {"mdef": definition, "prim_haloprop_key": f"halo_m{definition}"}
        with halotools_switches():
            return CompositeModel(**_own_model(painter, scene, place))
    if not isinstance(painter, HODPainter):
        raise UsageError("to_halotools_model", f"painter {painter.name}", "the painter hod")
    _refuse(painter, painter.table(scene))
    table, _ = painter.checked_table(scene)
    mass_key = f"halo_m{table.mass_definition}"
    place["mdef"] = table.mass_definition
    law = TableLaw(table, mass_limit(table, snapshot.particle_mass))
    publications = [*painter.references, *table.provenance.get("references", [])]
    with halotools_switches():
        return CompositeModel(
            **{
                f"{name}_occupation": _TableOccupation(law, kind, mass_key, publications)
                for kind, name in enumerate(_GALAXIES)
            },
            centrals_profile=TrivialPhaseSpace(**place),
            satellites_profile=NFWPhaseSpace(**place),
            **{
                f"{name}_stellar_mass": _TableStellarMass(law, kind, mass_key)
                for kind, name in enumerate(_GALAXIES)
            },
            redshift=snapshot.redshift,
        )


def _own_model(painter: ModelPainter, scene: Scene, place: dict[str, Any]) -> dict[str, Any]:
    own = painter.occupation(scene)
    if painter.model == "leauthaud11":
        parts = dict(leauthaud11_model_dictionary(threshold=own.central.threshold, **place))
    else:
        modulated = bool(own.satellite.modulate_with_cenocc)
        place = {**place, "modulate_with_cenocc": modulated}
        parts = dict(zheng07_model_dictionary(threshold=own.central.threshold, **place))
    for name, of_kind in zip(_GALAXIES, (own.central, own.satellite), strict=True):
        values = parts[f"{name}_occupation"].param_dict
        values.update((key, value) for key, value in of_kind.param_dict.items() if key in values)
    return parts


def _refuse_bias(painter: ModelPainter) -> None:
    """Raise if galaxies do not follow the mean at their host's mass alone."""
    chosen = painter.chosen
    biased = [name for name, value in WITHOUT.items() if chosen.shared(name) != value]
    if biased or painter.assembly_bias is not None:
        raise UsageError(
            "to_halotools_model",
            "parameters " + ", ".join(biased or ("A_cen", "A_sat")),
            "galaxies that depend on the mass of their host",
            "leave them out: halotools has classes of its own for assembly bias",
        )


def _refuse(painter: HODPainter, table: HODTable) -> None:
    """Raise if a model of halotools cannot express the painter: it knows only host masses."""
    found, fix = "", "take a calibration or painter that depends on host mass alone"
    if painter.mode != "corrected":
        found, fix = f"mode {painter.mode}", "leave the mode out"
    elif painter.rank_by is not None:
        found, fix = f"ranks by {painter.rank_by} of subhalos", "leave rank_by out"
    elif table.binned_by["central"] != "host":
        found = f"calibration {table.name}, with centrals by {table.mass_of(0)}"
    elif table.mass_definition == "fof":
        found = f"calibration {table.name}, with fof masses, which have no radius"
    if found:
        raise UsageError(
            "to_halotools_model", found, "galaxies that depend on the mass of their host", fix
        )
