"""From a prediction to a catalogue: the one place where galaxies are drawn, for every painter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__, random
from ..errors import InternalError, MissingDatasetError
from ..protocols import Painter
from ..types import Distribution, GalaxyCatalog, Scene

Array = NDArray[Any]


def inverse_cdf(distribution: Distribution, probability: Array) -> Array:
    """log10 of the stellar mass below which a luminous galaxy lies with ``probability``.

    Parameters
    ----------
    distribution : Distribution
        n predictions.
    probability : ndarray, shape (n,)
        In (0, 1).

    Returns
    -------
    ndarray, shape (n,)
        log10 (M* / (Msun/h)), at or above the floor.
    """
    d = distribution
    below = _residual_cdf(d, (d.floor - d.location) / d.scale)
    u = below + (1.0 - below) * probability
    residual = np.empty(len(d))
    for row in np.unique(d.residual_row):
        chosen = d.residual_row == row
        residual[chosen] = np.interp(u[chosen], d.residual_probability, d.residual_quantiles[row])
    return np.maximum(d.location + d.scale * residual, d.floor)


def cdf(distribution: Distribution, log_stellar_mass: Array) -> Array:
    """Probability that a luminous galaxy lies below ``log_stellar_mass``, shape (n,).

    The inverse of `inverse_cdf`; at the true masses it is the probability integral transform.
    """
    d = distribution
    below = _residual_cdf(d, (d.floor - d.location) / d.scale)
    value = _residual_cdf(d, (log_stellar_mass - d.location) / d.scale)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip((value - below) / (1.0 - below), 0.0, 1.0)


def _residual_cdf(d: Distribution, residual: Array) -> Array:
    result = np.empty(len(d))
    for row in np.unique(d.residual_row):
        chosen = d.residual_row == row
        result[chosen] = np.interp(
            residual[chosen], d.residual_quantiles[row], d.residual_probability, left=0.0, right=1.0
        )
    return result


def draw(distribution: Distribution, ids: Array, *, seed: int) -> tuple[Array, Array]:
    """Which subhalos are luminous, and their stellar masses.

    Parameters
    ----------
    distribution : Distribution
        n predictions.
    ids : ndarray of int64, shape (n,)
        Ids of the subhalos, the keys of the random numbers.
    seed : int

    Returns
    -------
    luminous : ndarray of int, shape (m,)
        Rows of the subhalos that host a galaxy.
    log_stellar_mass : ndarray, shape (m,)
        log10 (M* / (Msun/h)).
    """
    luminous = np.flatnonzero(random.uniform(seed, "luminous", ids) < distribution.p_luminous)
    u = random.uniform(seed, "stellar_mass", ids[luminous])
    log_stellar_mass = inverse_cdf(distribution.take(luminous), u)
    bad = np.flatnonzero(~np.isfinite(log_stellar_mass) | (log_stellar_mass > 14))
    if bad.size:
        raise InternalError(
            "painted stellar mass",
            f"{bad.size} values that are not finite or above 1e14 Msun/h, the first for halo_id "
            f"{ids[luminous][bad[0]]}",
            "finite stellar masses",
            "check the calibration",
        )
    return luminous, log_stellar_mass


def paint_scene(scene: Scene, painter: Painter, *, seed: int) -> GalaxyCatalog:
    """The galaxies that ``painter`` gives to ``scene``.

    Parameters
    ----------
    scene : Scene
        A box, or a tile of one.
    painter : Painter
    seed : int
        Same halos, painter and seed: same galaxies, whatever the order of rows.

    Returns
    -------
    GalaxyCatalog

    Raises
    ------
    MissingDatasetError
        The painter needs what the scene does not hold.
    """
    missing = painter.needs - scene.contents
    if missing:
        raise MissingDatasetError(
            f"simulation {scene.snapshot.name}",
            f"no {', '.join(sorted(missing))}",
            f"what painter {painter.name} needs: {', '.join(sorted(painter.needs))}",
            "give a simulation with particles or a density grid",
        )
    halos = scene.halos
    distribution = painter.predict(scene)
    rows, log_stellar_mass = draw(distribution, halos["halo_id"], seed=seed)
    p, central = distribution.p_luminous, halos["is_central"]
    prediction = {
        "subhalos": len(halos),
        "expected_centrals": round(math.fsum(p[central]), 6),
        "expected_satellites": round(math.fsum(p[~central]), 6),
        **distribution.record,
    }
    columns = {
        "galaxy_id": halos["halo_id"][rows],
        "halo_id": halos["host_id"][rows],
        "is_central": halos["is_central"][rows],
        **{
            f"{name}_{axis}": halos[name][rows, i]
            for name in ("position", "velocity")
            for i, axis in enumerate("xyz")
        },
        "stellar_mass": 10.0**log_stellar_mass,
        "halo_mass": halos["host_mass"][rows],
        "subhalo_mass": halos["mass"][rows],
        "vmax": halos["vmax"][rows],
        "extrapolated": distribution.extrapolated[rows],
    }
    provenance = {
        "version": __version__,
        "simulation": describe_simulation(scene),
        "painter": painter.describe(scene) | {"prediction": prediction},
        "seed": random.check_seed(seed),
        "cuts": [],
        "painted": len(rows),
    }
    return GalaxyCatalog(columns, scene.snapshot, "box", provenance)


def describe_simulation(scene: Scene) -> dict[str, Any]:
    """What the provenance says of the simulation: plain JSON values."""
    snapshot, halos = scene.snapshot, scene.halos
    return {
        "name": snapshot.name,
        "format": snapshot.format,
        "box_size_mpc_h": snapshot.box_size,
        "redshift": snapshot.redshift,
        "cosmology": snapshot.cosmology.to_dict(),
        "particle_mass_msun_h": snapshot.particle_mass,
        "mass_definition": halos.mass_definition,
        "halo_digest": halos.digest(),
        "reading": dict(snapshot.record) | dict(halos.record),
    }


def join(pieces: Sequence[GalaxyCatalog], whole: Scene) -> GalaxyCatalog:
    """One catalogue from those of the tiles of ``whole``; what was counted is added up."""
    if len(pieces) == 1:
        return pieces[0]
    first = pieces[0]
    columns = {name: np.concatenate([p[name] for p in pieces]) for name in first.columns}
    predictions = [p.provenance["painter"]["prediction"] for p in pieces]
    total = {
        key: round(sum(prediction[key] for prediction in predictions), 6) for key in predictions[0]
    }
    return GalaxyCatalog(
        columns,
        whole.snapshot,
        first.frame,
        {
            **first.provenance,
            "simulation": describe_simulation(whole),
            "painter": {**first.provenance["painter"], "prediction": total},
            "painted": sum(p.provenance["painted"] for p in pieces),
        },
    )
