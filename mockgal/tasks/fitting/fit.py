"""Fit the parameters of a HOD to measurements: `mockgal fit`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UsageError, listening, warn
from ...options import check_names
from ...protocols import takes
from ...quantity import in_unit, named_values
from ...random import check_seed, uniform
from ...types import Scene
from ..build import make_painter
from ..steps.paint import satellite_options
from .best import best_mock, seed_of
from .kept import chain_digest, kept_chain, table_of

if TYPE_CHECKING:
    from ...fitting.data import DensityTarget, Target
    from ...fitting.likelihood import Posterior
    from ...fitting.priors import Prior
    from ...fitting.result import Fit
    from ...fitting.tables.pairs import PairTable
    from ...fitting.tables.points import Places
    from ...painters.halotools.models import ModelPainter
    from ...statistics.covariance import Covariance
    from ...statistics.result import Measurement

MODELS = ("zheng07", "abacushod", "leauthaud11")
PAINTER = "hod"
_DIGITS = 6  # after the point, of the best parameters
UNITS = dict.fromkeys(("r_min", "r_max"), "Mpc / littleh") | dict.fromkeys(
    ("number_density", "number_density_error"), "littleh3 / Mpc3"
)
UNITS["survey_volume"] = "Mpc3 / littleh3"
_PAINTING = (
    *("stellar_mass_law", "luminosity_floor", "modulated_satellites", "assembly_bias"),
    *("assembly_bias_split", "environment_radius", "environment_from", "allow_extrapolation"),
)


@takes(Scene)
def fit(
    sim: Scene,
    data: Measurement | Sequence[Measurement],
    covariance: Covariance | Measurement | Sequence[Covariance | Measurement | None] | None = None,
    *,
    model: str,
    seed: int,
    priors: str | Iterable[str] | Mapping[str, Any] = (),
    parameters: str | Mapping[str, Any] | None = None,
    number_density: float | str | None = None,
    number_density_error: float | str | None = None,
    r_min: float | str | None = None,
    r_max: float | str | None = None,
    survey_volume: float | str | None = None,
    likelihood: str = "matched",
    steps: int | None = None,
    populate: bool | Mapping[str, Any] = False,
    tracers: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    **painter_options: Any,
) -> Fit:
    """Fit the parameters of a HOD to measurements.

    The clustering for any parameters comes from tables of pairs, which are counted once. The
    posterior is sampled by emcee, which the extra ``fit`` installs.

    Parameters
    ----------
    sim : Scene
        The simulation whose hosts get galaxies.
    data : Measurement or sequence of Measurement
        Of the statistics wp, xi or sky_wp, or the mass_function, which leauthaud11 predicts.
    covariance : Covariance, Measurement or sequence, optional
        Of each; or the mean of several mocks (`mockgal.combine`), whose scatter it is. Data whose
        covariances are of the same mocks have a joint one. By default that of the data themselves,
        of several mocks or of a jackknife.
    model : str
        ``"zheng07"``, ``"abacushod"`` or ``"leauthaud11"``.
    seed : int
        The same seed gives the same samples.
    priors : str, iterable of str or mapping
        Such as ``"logM1=uniform(12, 14) log10(Msun/h), alpha=normal(1, 0.1)"``. Parameters of
        zheng07 that have neither a prior nor a value have the uniform ones of Lange 2023,
        arXiv:2306.16923, which are in ``settings``; those of leauthaud11 have the published
        values. A_cen, A_sat and f_ic are free with a prior.
    parameters : str or mapping, optional
        Parameters with a value, as for the painter.
    number_density, number_density_error : float or str, optional
        A number density to fit, and its error, independent of the other data: in h^3 Mpc^-3, or
        texts with a unit. Without an error, the scatter of the mocks that ``covariance`` has, and
        their covariance of the density and the other data.
    r_min, r_max : float or str, optional
        Bins below and beyond are not fitted: in Mpc/h, or texts with a unit.
    survey_volume : float or str, optional
        Volume that the data are from, in Mpc^3 h^-3 or a text with a unit, if it is not this
        simulation: covariances are multiplied by 1 + its ratio to the box
        (`mockgal.fitting.data.structure_factor`), not ``number_density_error``.
    likelihood : str
        What is made of the errors of a covariance from mocks: ``"matched"``, ``"gaussian"`` or
        ``"student"`` (`mockgal.fitting.likelihood`).
    steps : int, optional
        Most steps of the sampler.
    populate : bool or mapping
        Whether satellites are made, as `mockgal.populate` makes them, with these options; else
        they are the subhalos of the simulation.
    tracers : int, optional
        Points that stand for the satellites of hosts in 0.1 dex of mass.
    folder : path-like, optional
        Folder that keeps tables of pairs, for further fits.
    **painter_options
        Of the HOD: ``stellar_mass_law``, ``modulated_satellites``, ``assembly_bias`` and others.

    Returns
    -------
    Fit

    Raises
    ------
    UsageError
        An option cannot have its value, a parameter has neither a value nor a prior, the data or
        the covariance do not fit together, or emcee is not installed.
    MockgalError
        The model is not valid for the simulation, or it lacks something.

    Warns
    -----
    MockgalWarning
        The chain is short; the data are taken to be independent; or the best parameters have
        galaxies in hosts below those of the simulation, which no prediction has.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5", drop_bad=True)
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> data = mockgal.measure(mock, "wp", bins=6, jackknife=3)
    >>> found = mockgal.fit(
    ...     sim,
    ...     data,
    ...     model="zheng07",
    ...     stellar_mass_law="moster13",
    ...     seed=1,
    ...     parameters={"sigma_logM": 0.2, "logM0": 10.5, "alpha": 1.0},
    ...     priors={"logMmin": (10.0, 12.0), "logM1": (11.0, 13.0)},
    ...     steps=100,
    ... )
    >>> list(found.samples)
    ['logMmin', 'logM1', 'number_density', 'satellite_fraction']
    """
    plan = Plan.of(
        *(model, priors, parameters, populate, painter_options),
        number_density=number(sim, "number_density", number_density),
        number_density_error=number(sim, "number_density_error", number_density_error),
        survey_volume=number(sim, "survey_volume", survey_volume),
        likelihood=likelihood,
        tracers=tracers,
        steps=steps,
        seed=seed,
    )
    stated = {"r_min": number(sim, "r_min", r_min), "r_max": number(sim, "r_max", r_max)}
    ends = {name: value for name, value in stated.items() if value is not None}
    every = [data] if not isinstance(data, Sequence) else list(data)
    of_each = covariance if isinstance(covariance, Sequence) else [covariance]
    of_each = list(of_each) if covariance is not None else [None] * len(every)
    return plan.carry_out(sim, every, of_each, ends, None if folder is None else Path(folder))


def number(sim: Scene, name: str, value: float | str | None) -> float | None:
    """Return an option of `UNITS` in its unit; None if it was not given.

    Raises
    ------
    UnitsError
        It has another unit.
    """
    if value is None:
        return None
    return in_unit(f"fit:{name}", value, UNITS[name], sim.snapshot.cosmology.h)


@dataclass(frozen=True)
class Plan:
    """What is fitted, and how, apart from the simulation and the data.

    Parameters
    ----------
    model : str
    priors : tuple of Prior
    stated : dict
        Parameters with a value, as they were given.
    populate_options : dict or None
        How satellites are made; None if they are subhalos.
    painter_options : dict
        Other options of the painter.
    density : DensityTarget or None
    survey_volume : float or None
        [Mpc^3 h^-3]
    likelihood : str
    tracers, steps : int
    seed : int
    """

    model: str
    priors: tuple[Prior, ...]
    stated: dict[str, Any]
    populate_options: dict[str, Any] | None
    painter_options: dict[str, Any]
    density: DensityTarget | None
    survey_volume: float | None
    likelihood: str
    tracers: int
    steps: int
    seed: int

    @classmethod
    def of(
        cls,
        model: str,
        priors: str | Iterable[str] | Mapping[str, Any],
        parameters: str | Mapping[str, Any] | None,
        populate: bool | Mapping[str, Any],
        painter_options: Mapping[str, Any],
        *,
        number_density: float | None,
        number_density_error: float | None,
        survey_volume: float | None,
        likelihood: str,
        tracers: int | None,
        steps: int | None,
        seed: int,
    ) -> Plan:
        """Return the plan with these options: see `fit`.

        Raises
        ------
        UsageError
            An option cannot have its value.
        """
        from ...fitting.data import DensityTarget
        from ...fitting.priors import priors_of
        from ...fitting.sampler import MOST_STEPS, emcee
        from ...fitting.tables.points import TRACERS
        from ...painters.halotools.parameters import EXAMPLE, Chosen
        from ...painters.halotools.parameters import MODELS as EVERY

        emcee()  # raises before any work
        if model not in MODELS:
            found = "which cannot be fitted" if model in EVERY else "no model"
            raise UsageError("fit:model", f"{model}, {found}", "one of " + ", ".join(MODELS))
        check_names("fit", painter_options, _PAINTING)
        stated = named_values("fit:parameters", parameters or {}, EXAMPLE)
        chosen = Chosen(model, stated)
        fixed = [
            name for name in (*EVERY[model], "A_cen", "A_sat", "f_ic") if chosen.is_given(name)
        ]
        density = None
        if number_density is None and number_density_error is not None:
            raise UsageError(
                "fit:number_density",
                "the error of a number density alone",
                "both",
                'such as --number-density "3e-3 h^3/Mpc^3" --number-density-error "1e-4 h^3/Mpc^3"',
            )
        if number_density is not None:
            density = DensityTarget(number_density, number_density_error)
        making = None if populate is False else {} if populate is True else dict(populate)
        plan = cls(
            model,
            priors_of(model, priors, fixed),
            dict(stated),
            making,
            {key: value for key, value in painter_options.items() if value is not None},
            density,
            survey_volume,
            likelihood,
            TRACERS if tracers is None else tracers,
            MOST_STEPS if steps is None else steps,
            check_seed(seed),
        )
        plan.painter({one.name: float(one.quantile(np.array(0.5))) for one in plan.priors})
        if making is not None:
            satellite_options(making)
        return plan

    def painter(self, values: Mapping[str, float]) -> ModelPainter:
        """Return the painter with values of the free parameters, in the unit of the model."""
        painter: Any = make_painter(PAINTER, self.options(values))
        return painter  # type: ignore[no-any-return]

    def _typical(self, sim: Scene) -> ModelPainter:
        """Return the painter with medians of the priors, or if these are no model, others in them.

        Raises
        ------
        MockgalError
            Of 64 sets of parameters none is a model.
        """
        ids = np.arange(len(self.priors))
        for draw in range(64):
            shares = uniform(self.seed, "parameters to begin with", ids, draw=draw) if draw else 0.5
            shares = np.broadcast_to(shares, ids.shape)
            values = {
                one.name: float(one.quantile(u)) for one, u in zip(self.priors, shares, strict=True)
            }
            painter = self.painter(values)
            try:
                painter.occupation(sim)
            except UsageError:
                if draw == 63:
                    raise
            else:
                return painter
        raise AssertionError("there are draws")

    def options(self, values: Mapping[str, float]) -> dict[str, Any]:
        """Return the options of the painter, with every parameter as a text with its unit."""
        from ...painters.halotools.parameters import MODELS, SHARED

        known = {**MODELS[self.model], **SHARED}
        parameters = {
            name: value
            if isinstance(value, str)
            else known[name].text(value)
            if name in known
            else str(value)
            for name, value in (self.stated | dict(values)).items()
        }
        return {"model": self.model, **self.painter_options, "parameters": parameters}

    def carry_out(
        self,
        sim: Scene,
        data: Sequence[Measurement],
        covariances: Sequence[Covariance | Measurement | None],
        ends: Mapping[str, float],
        folder: Path | None,
        *,
        names: Sequence[str] = (),
        recipe: Mapping[str, Any] | None = None,
        chain_path: Path | None = None,
    ) -> Fit:
        """Return the fit of a simulation to data.

        Parameters
        ----------
        sim : Scene
        data, covariances : sequence
            Each with its own.
        ends : mapping
            ``r_min`` and ``r_max`` [Mpc/h], if any.
        folder : Path or None
            Where tables are kept.
        names : sequence of str
            Of the data, for messages.
        recipe : mapping, optional
            Keys of the recipe of the best mock beside the painter's and the satellites'.
        chain_path : Path, optional
            File that keeps the chain, so that an interrupted fit goes on.
        """
        from ...fitting.data import MASS_FUNCTION, scaling, target
        from ...fitting.result import result
        from ...fitting.sampler import best, sample
        from ...fitting.tables.points import places

        if len(data) != len(covariances):
            raise UsageError(
                "fit",
                f"{len(covariances)} covariances for {len(data)} data sets",
                "one for each, or none",
                "name them in the same order",
            )
        names = list(names) or [f"data {i + 1}" for i in range(len(data))]
        with listening() as warnings:
            making = None
            if self.populate_options is not None:
                making = satellite_options(self.populate_options)
            painter, h = self._typical(sim), sim.snapshot.cosmology.h
            floor = None if painter.luminosity_floor is None else 10 ** painter.log_floor(h) / h
            size, halo_digest = sim.snapshot.box_size, sim.halos.digest()
            scaled_by = scaling(self.survey_volume, size, halo_digest, data, names)
            targets = [
                target(one, matrix, name=name, floor=floor, scaled_by=scaled_by, **ends)
                for one, matrix, name in zip(data, covariances, names, strict=True)
            ]
            for one in targets:
                one.bins.check(sim.snapshot)
            if ends and all(one.statistic == MASS_FUNCTION for one in targets):
                warn("a mass function has no separations: --r-min and --r-max leave nothing out")
            with listening(quiet=True):  # what a mock would be refused for, before any work
                painter.predict(sim) if making is None else painter.satellites(sim)
            where = places(sim, painter, making, self.tracers)
            posterior = self._posterior(sim, where, targets, painter, folder)
            masses = any(one.statistic == MASS_FUNCTION for one in targets)
            apart = [one.name for one in posterior.blocks if one.members or masses]
            if len(apart) > 1:
                warn(
                    f"{' and '.join(apart)} are taken to be independent of each other: nothing "
                    "says that their covariances are from the same mocks. Where they are, give as "
                    "--covariance of each the table of the mean of the mocks, and no "
                    "--number-density-error"
                )
            digest = chain_digest(posterior, where, self.seed)
            start = best(posterior, self.seed)
            chain, keep = None, None
            if chain_path is not None:
                chain, keep = kept_chain(chain_path, digest)
            found = sample(
                posterior, start, seed=self.seed, steps=self.steps, chain=chain, keep=keep
            )
            top = found.values[found.log_density.argmax()]
            higher = np.diff(posterior.log_density(np.stack([start, top])))[0] > 0
            start = np.round(top if higher else start, _DIGITS)
            start = np.clip(start, *np.transpose([(one.low, one.high) for one in self.priors]))
            values = dict(zip(posterior.names, map(float, start), strict=True))
            mock = best_mock(sim, posterior, self.painter(values), self.populate_options, self.seed)
        settings = {
            "seed": self.seed,
            "simulation": sim.snapshot.name,
            "halo_digest": halo_digest,
            "painter_options": self.options(values),
            "published_parameters": self._published(sim, painter),
            "populate_options": self.populate_options if making is None else making.describe(),
            "tracers": self.tracers if making is not None else "none: subhalos",
            "references": list(painter.references),
            "survey_volume_mpc3_h3": self.survey_volume or "none: the box is taken as exact",
            "warnings": list(warnings),
            "mock": mock,
        }
        return result(posterior, start, found, self.recipe(values, recipe or {}), settings)

    def recipe(self, values: Mapping[str, float], more: Mapping[str, Any]) -> dict[str, Any]:
        """Return the recipe of a mock with values of the free parameters."""
        made: dict[str, Any] = {**more, "painter": PAINTER, "painter_options": self.options(values)}
        if self.populate_options is not None:
            made["populate"] = True
            if self.populate_options:
                made["populate_options"] = dict(self.populate_options)
        return made | {"seed": seed_of(self.seed)}

    def _posterior(
        self,
        sim: Scene,
        where: Places,
        targets: Sequence[Target],
        painter: ModelPainter,
        folder: Path | None,
    ) -> Posterior:
        from ...fitting.likelihood import Posterior
        from ...fitting.tables.masses import MassTable, StellarMassBins

        free, h = {one.name for one in self.priors}, sim.snapshot.cosmology.h
        tables: list[tuple[Target, PairTable | MassTable]] = []
        log_masses = [] if painter.luminosity_floor is None else [painter.log_floor(h)]
        for one in targets:
            if isinstance(one.bins, StellarMassBins):
                table = MassTable(one.bins, len(log_masses), sim.snapshot.box_size)
                log_masses += [math.log10(edge * h) for edge in one.bins.edges]
                tables.append((one, table))
            else:
                tables.append((one, table_of(where, one.bins, sim, folder)))
        chosen = painter.chosen
        fixed = {name: one["value"] for name, one in self._published(sim, painter).items()}
        fixed |= dict(chosen.values(h))
        fixed |= {
            name: chosen.shared(name)
            for name in ("A_cen", "A_sat", "f_ic")
            if chosen.is_given(name)
        }
        return Posterior(
            where.hosts,
            sim.snapshot.box_size,
            self.model,
            painter.modulated_satellites,
            self.priors,
            {name: value for name, value in fixed.items() if name not in free},
            tables,
            self.density,
            self.likelihood,
            tuple(log_masses),
        )

    def _published(self, sim: Scene, painter: ModelPainter) -> dict[str, dict[str, Any]]:
        """Return the parameters that have neither a value nor a prior, with their sources."""
        if not painter.chosen.missing:
            return {}
        every = painter.occupation(sim).parameters
        return {name: every[name] for name in painter.chosen.missing}
