"""Baselines of a comparison: simple painters that a mock has to be better than."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...columns import GALAXY_COLUMNS, Column
from ...errors import InputError, MissingDatasetError, UsageError, listening
from ...laws.abundance import CumulativeFunction, abundance_matched
from ...laws.distribution import Distribution
from ...layout import is_truth
from ...painters.draw import paint_scene
from ...reports.comparison.result import Cost
from ...statistics.jackknife import regions
from ...types import GalaxyCatalog, Scene
from ..build import paint
from ..calibrate import LEAST_PARTICLES
from .twins import Twins

Array = NDArray[Any]

VMAX_HOD, ABUNDANCE, FEATURES_ONLY = "vmax-hod", "abundance-matching", "features-only"
BASELINES = (VMAX_HOD, ABUNDANCE, FEATURES_ONLY)
FEATURES = ("log_mass", "log_vmax", "is_central", "log_host_mass")
PER_SIDE = 2  # parts of the box along each side that the features-only network is trained without
LEAST_GALAXIES = 50  # matched galaxies that the network can be trained on


class Request(NamedTuple):
    """Which baselines to paint, and with what.

    Parameters
    ----------
    names : tuple of str
        Some of `BASELINES`.
    seed : int, optional
    calibration : str or path-like, optional
        Of the HOD; by default the one that comes with mockgal and is valid for the simulation.
    least : float
        See `paint_baselines`.
    """

    names: tuple[str, ...] = ()
    seed: int | None = None
    calibration: str | os.PathLike[str] | None = None
    least: float = 0.0

    def check(self, mocks: Sequence[str], sim: object) -> None:
        """Raise if these baselines cannot be painted, whatever the inputs hold.

        Raises
        ------
        UsageError
        """
        for name in self.names:
            if name not in BASELINES:
                raise UsageError("--baseline", repr(name), "one of " + ", ".join(BASELINES))
            if name in mocks:
                raise UsageError(
                    "--baseline", f"{name}, beside a mock of that name", "one", "rename the mock"
                )
        if self.names and sim is None:
            raise UsageError(
                "--baseline", "no simulation to paint on", "--sim", "give the gravity-only run"
            )
        if self.names and self.seed is None:
            raise UsageError("baselines", "no seed", "a seed for their draws", "seed=1")
        if self.calibration is not None and VMAX_HOD not in self.names:
            raise UsageError(
                "--baseline-calibration", f"no --baseline {VMAX_HOD}", "it", "leave it out"
            )


class Baseline(NamedTuple):
    """Painted galaxies, not cut; their law if it is to be held against the truth, or why not."""

    galaxies: GalaxyCatalog
    law: Distribution | None
    without_law: str
    cost: Cost
    note: str


def paint_baselines(
    request: Request, sim: Scene, truth: GalaxyCatalog, twins: Twins | None, least: float
) -> dict[str, Baseline]:
    """Return the baselines by name.

    Parameters
    ----------
    request : Request
        Checked.
    sim : Scene
        The gravity-only simulation.
    truth : GalaxyCatalog
        Before the cuts.
    twins : Twins or None
        The truth and the simulation, if they are matched.
    least : float
        Stellar mass of the truth at or below the cuts [Msun/h]: the floor of the features-only
        network where no star particle states one.

    Raises
    ------
    MockgalError
        A baseline cannot be painted: the simulation lacks a column, no calibration is valid for
        it, or there is no truth to learn from.
    """
    painted = {}
    request = request._replace(least=least)
    for name in request.names:
        wall, cpu = time.perf_counter(), time.process_time()
        with listening(quiet=True):
            galaxies, law, why, note = _MAKERS[name](request, sim, truth, twins)
        cost = Cost(
            wall_seconds=time.perf_counter() - wall,
            cpu_seconds=time.process_time() - cpu,
            because="painted within this comparison; its memory is not told apart",
        )
        painted[name] = Baseline(galaxies, law, why, cost, note)
    return painted


_Made = tuple[GalaxyCatalog, Distribution | None, str, str]


def _vmax_hod(request: Request, sim: Scene, truth: GalaxyCatalog, twins: Twins | None) -> _Made:
    """Return the HOD in which stellar mass follows vmax without scatter at given host mass."""
    options = {} if request.calibration is None else {"calibration": request.calibration}
    assert request.seed is not None
    galaxies = paint(sim, "hod", seed=request.seed, rank_by="vmax", rank_correlation=1.0, **options)
    why = "stellar mass follows the rank by vmax, without scatter"
    note = (
        f"Baseline {VMAX_HOD}: the corrected HOD, calibration "
        f"{galaxies.provenance['painter']['calibration']}, with stellar masses in the order of "
        "vmax at given host mass (rank correlation 1)."
    )
    return galaxies, None, why, note


def _abundance(request: Request, sim: Scene, truth: GalaxyCatalog, twins: Twins | None) -> _Made:
    """Return the truth's stellar masses at the subhalos of equal rank by vmax."""
    vmax = _vmax(sim, ABUNDANCE)
    mass = truth["stellar_mass"].astype(np.float64)
    function = CumulativeFunction.of_galaxies(mass[mass > 0], truth.snapshot.box_size**3)
    log_mass = abundance_matched(vmax, sim.halos["halo_id"], function, sim.snapshot.box_size**3)
    there = log_mass > -math.inf
    law = Distribution(
        p_luminous=there.astype(np.float64),
        location=np.where(there, log_mass, 0.0),
        scale=np.ones(len(log_mass)),
        residual_row=np.zeros(len(log_mass), dtype=np.int16),
        residual_probability=np.array([0.0, 1.0]),
        residual_quantiles=np.zeros((1, 2)),
        floor=-math.inf,
        extrapolated=np.zeros(len(log_mass), dtype=bool),
    )
    described = {
        "ranked_by": "vmax",
        "scatter_dex": 0.0,
        "mass_function": truth.snapshot.name,
        "least_stellar_mass_msun_h": float(10.0 ** log_mass[there].min()) if there.any() else 0.0,
        "stellar_mass_definition": _definition(truth),
        "references": [
            "Vale & Ostriker 2004, arXiv:astro-ph/0402500",
            "Conroy, Wechsler & Kravtsov 2006, arXiv:astro-ph/0512234",
        ],
    }
    note = (
        f"Baseline {ABUNDANCE}: subhalos ranked by vmax have the stellar masses of the truth at "
        "the same number density, without scatter: its mass function is that of the truth, and no "
        "test."
    )
    galaxies = _painted(_Ready(ABUNDANCE, law, described), sim, request.seed)
    complete = truth.completeness
    if there.all() and len(function.density) > len(log_mass) and complete.low is not None:
        least = float(10.0 ** log_mass.min())
        complete = complete.raised(least, "no subhalo is left for galaxies of less")
    galaxies = galaxies.with_completeness(complete)
    return galaxies, None, "it gives one stellar mass for each rank, without scatter", note


def _features_only(
    request: Request, sim: Scene, truth: GalaxyCatalog, twins: Twins | None
) -> _Made:
    """Return the prediction of networks that see subhalos alone, each of what it has not seen."""
    from ...calibration.floor import floor_of
    from ...painters.cnn.inputs import feature_values
    from ...training.features_only import cross_fitted

    if twins is None:
        raise InputError(
            f"--baseline {FEATURES_ONLY}",
            "no truth that is matched with the simulation",
            "a hydrodynamic run, and its gravity-only twin as --sim, to learn from",
            "leave this baseline out",
        )
    _vmax(sim, FEATURES_ONLY)
    assert request.seed is not None
    dark, halos = twins.dark, twins.dark.halos
    if is_truth(twins.hydro.snapshot.record):
        floor, stated = request.least, "the next galaxy of the truth below the cuts"
    else:
        floor, stated = floor_of(None, [(twins.hydro, dark)])
    particle = dark.snapshot.particle_mass or 0.0
    rows = np.flatnonzero(halos["mass"] >= max((LEAST_PARTICLES - 0.5) * particle, 5e-324))
    with np.errstate(divide="ignore"):
        log_mass = np.log10(twins.stellar_mass[rows])
    part = _parts(dark)[rows]
    luminous = log_mass >= math.log10(floor)
    if np.count_nonzero(luminous) < LEAST_GALAXIES or len(np.unique(part[luminous])) < 3:
        raise InputError(
            f"--baseline {FEATURES_ONLY}",
            f"{np.count_nonzero(luminous)} matched galaxies",
            f"at least {LEAST_GALAXIES}, in several parts of the box",
            "leave this baseline out",
        )
    values = feature_values(dark, FEATURES, rows, np.empty((len(rows), 0)), asked_by=FEATURES_ONLY)
    found = cross_fitted(values, log_mass, part, floor=math.log10(floor), seed=request.seed)
    location, scale, p = (np.full(len(halos), x) for x in (-math.inf, 1.0, 0.0))
    location[rows], scale[rows], p[rows] = found
    law = Distribution.normal(location, scale, floor=math.log10(floor), p_luminous=p)
    described = {
        "features": list(FEATURES),
        "trained_without": f"the part of the box, of {PER_SIDE**3}, that it predicts",
        "luminosity_floor_msun_h": floor,
        "luminosity_floor": stated,
        "least_subhalo_mass_msun_h": float(halos["mass"][rows].min()),
        "stellar_mass_definition": _definition(truth),
        "references": [],
    }
    note = (
        f"Baseline {FEATURES_ONLY}: a network that sees mass, vmax and host mass of a subhalo and "
        f"whether it is central, and no field. {PER_SIDE**3} of them are trained on matched "
        "galaxies of the truth, each without one octant of the box, which it then predicts: no "
        "galaxy is predicted by a network that was trained on it."
    )
    galaxies = _painted(_Ready(FEATURES_ONLY, law, described), dark, request.seed)
    return galaxies, law, "", note


_MAKERS: dict[str, Callable[[Request, Scene, GalaxyCatalog, Twins | None], _Made]] = {
    VMAX_HOD: _vmax_hod,
    ABUNDANCE: _abundance,
    FEATURES_ONLY: _features_only,
}


def _vmax(sim: Scene, name: str) -> Array:
    if "vmax" not in sim.halos:
        raise MissingDatasetError(
            f"simulation {sim.snapshot.name}",
            "no vmax",
            f"the vmax of every subhalo, for --baseline {name}",
            "leave this baseline out",
        )
    return sim.halos["vmax"]


def _parts(dark: Scene) -> Array:
    """Return the part of the box that the host of each subhalo is in, shape (n,)."""
    halos = dark.halos
    central = np.flatnonzero(halos["is_central"])
    order = central[np.argsort(halos["halo_id"][central])]
    host = order[np.searchsorted(halos["halo_id"][order], halos["host_id"])]
    return regions(halos["position"][host], dark.snapshot.box_size, PER_SIDE)


def _definition(truth: GalaxyCatalog) -> str | None:
    from ...reports.differences import stellar_mass_definition

    return stellar_mass_definition(truth)


@dataclass(frozen=True)
class _Ready:
    """A painter whose prediction for one scene is there already."""

    name: str
    law: Distribution
    described: dict[str, Any]

    needs: ClassVar[frozenset[str]] = frozenset({"halos"})
    provides: ClassVar[tuple[Column, ...]] = tuple(
        GALAXY_COLUMNS[name] for name in ("stellar_mass", "extrapolated")
    )

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(self.described["references"])

    def predict(self, scene: Scene) -> Distribution:
        return self.law

    def describe(self, scene: Scene) -> dict[str, Any]:
        return {"name": self.name, **self.described}


def _painted(painter: Any, scene: Scene, seed: int | None) -> GalaxyCatalog:
    assert seed is not None
    return paint_scene(scene, painter, seed=seed)
