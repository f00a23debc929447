"""From a prediction to a catalogue: the single place where galaxies are drawn, for all painters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import __version__, random
from ..columns import GALAXY_COLUMNS, OUR_COLUMNS, Column
from ..completeness import KEY as COMPLETENESS
from ..completeness import Completeness
from ..digests import sorting_order
from ..errors import DomainError, InternalError, shown, warn
from ..laws.distribution import Distribution, inverse_cdf, ranked
from ..layout import (
    COMPLETE_FROM,
    MADE_WITH,
    POPULATED,
    SELECTED_BY,
    WARNINGS,
)
from ..protocols import Painter, check_contents
from ..system.display import simulation_facts
from ..system.libraries import versions
from ..types import GalaxyCatalog, HaloCatalog, Scene
from . import blocks
from .hosts import count_hosts as count_hosts
from .provided import declared_columns
from .validity.caveats import extrapolated as extrapolated_galaxies
from .validity.caveats import stars_and_baryons
from .validity.host_edge import Subhalos
from .validity.lacking import completeness, lacking_galaxies, warn_of
from .velocities import bias_velocities

Array = NDArray[Any]
_LARGEST, _ABSURD = 14, 16  # log10 of stellar masses [Msun/h] above any galaxy's, and any law's


def draw(distribution: Distribution, ids: Array, *, seed: int) -> tuple[Array, Array]:
    """Draw which subhalos are luminous, and their stellar masses.

    Parameters
    ----------
    distribution : Distribution
        n predictions.
    ids : ndarray of int64, shape (n,)
        Ids of the subhalos, which are the keys of the random numbers.
    seed : int

    Returns
    -------
    luminous : ndarray of int, shape (m,)
        Rows of the subhalos that host a galaxy.
    log_stellar_mass : ndarray, shape (m,)
        log10 (M* / (Msun/h)).
    """
    _check_residuals(distribution)
    _check_probability(distribution.p_luminous, ids)
    drawn = _draw_blocks if len(ids) >= blocks.LARGE else _draw_reference
    luminous, log_stellar_mass = drawn(distribution, ids, seed)
    # No extrapolation leads this far: the painter is broken, or the hardware.
    bad = np.flatnonzero(~np.isfinite(log_stellar_mass) | (log_stellar_mass > _ABSURD))
    if bad.size:
        raise InternalError(
            "painted stellar mass",
            f"{bad.size} values that are not finite or above 1e{_ABSURD} Msun/h, the first for "
            f"halo_id {ids[luminous][bad[0]]}",
            "finite stellar masses",
            "check the calibration, or the weights",
        )
    heavy = np.flatnonzero(log_stellar_mass > _LARGEST)
    if heavy.size:
        raise DomainError(
            "painted stellar mass",
            f"{heavy.size} values above 1e{_LARGEST} Msun/h, the first for halo_id "
            f"{ids[luminous][heavy[0]]}",
            "stellar masses that galaxies can have",
            "paint within the range of the law: leave --allow-extrapolation out, or take another "
            "calibration; check the units of masses",
        )
    return luminous, log_stellar_mass


def draw_further(
    distribution: Distribution,
    rows: Array,
    log_stellar_mass: Array,
    ids: Array,
    *,
    seed: int,
    declared: Mapping[str, Column] = GALAXY_COLUMNS,
) -> dict[str, Array]:
    """Draw further columns of galaxies whose stellar masses have been drawn.

    Parameters
    ----------
    distribution : Distribution
        n predictions.
    rows, log_stellar_mass : ndarray, shape (m,)
        The result of `draw`.
    ids : ndarray of int64, shape (n,)
        Ids of the subhalos: with the column's name, the keys of the random numbers.
    seed : int
    declared : mapping of str to Column
        The possible columns.

    Returns
    -------
    dict of str to ndarray, shape (m,)
        Positive numbers, in the units of the columns.
    """
    drawn, own = {}, ids[rows]
    for name, law in distribution.further.items():
        if name not in declared:
            raise InternalError(
                "prediction",
                f"a law of {shown(name)}",
                "laws of columns that the painter provides",
                "correct the painter: list the column in what it provides",
            )
        u = random.uniform(seed, name, own)
        with np.errstate(over="ignore", under="ignore"):
            value = 10.0 ** law.take(rows).inverse_cdf(log_stellar_mass, u)
            value = value.astype(declared[name].dtype)
        bad = np.flatnonzero(~((value > 0) & (value < np.inf)))
        if bad.size:
            raise InternalError(
                f"painted {name}",
                f"{bad.size} values that are not positive numbers, the first for halo_id "
                f"{own[bad[0]]}",
                "positive numbers",
                "check the weights",
            )
        drawn[name] = value
    return drawn


def _check_probability(p: Array, ids: Array) -> None:
    # A NaN would compare as "not luminous", and silently drop the galaxy.
    if len(p) and not (p.min() >= 0 and p.max() <= 1):
        bad = np.flatnonzero(~((p >= 0) & (p <= 1)))
        raise InternalError(
            "prediction",
            f"{bad.size} probabilities of being luminous that are NaN or outside 0 to 1, the first "
            f"{p[bad[0]]} for halo_id {ids[bad[0]]}",
            "probabilities from 0 to 1",
            "correct the painter",
        )


def _check_residuals(d: Distribution) -> None:
    """Raise if arrays do not fit together: compiled code would read beyond their ends."""
    rows, nodes = d.residual_quantiles.shape
    used = (int(d.residual_row.min()), int(d.residual_row.max())) if len(d) else (0, 0)
    if used[0] < 0 or used[1] >= max(rows, 1) or d.residual_probability.shape != (nodes,):
        raise InternalError(
            "prediction",
            f"residual rows {used[0]} to {used[1]}, {d.residual_probability.size} probabilities",
            f"rows 0 to {rows - 1}, {nodes} probabilities, as residual_quantiles has",
            "correct the painter",
        )


def _draw_reference(d: Distribution, ids: Array, seed: int) -> tuple[Array, Array]:
    luminous = np.flatnonzero(random.uniform(seed, "luminous", ids) < d.p_luminous)
    u = random.uniform(seed, "stellar_mass", ids[luminous])
    return luminous, inverse_cdf(d.take(luminous), u)


def _draw_blocks(d: Distribution, ids: Array, seed: int) -> tuple[Array, Array]:
    """Do the same as `_draw_reference` in compiled code, identical to the bit."""
    from . import kernels

    keys = [
        [np.uint64(word) for word in random.stream_key(seed, stream)]
        for stream in ("luminous", "stellar_mass")
    ]
    identity = np.require(ids, np.int64, ("C", "A")).view(np.uint64)
    probability, quantiles = (
        np.require(values, np.float64, ("C", "A"))
        for values in (d.residual_probability, d.residual_quantiles)
    )
    law = (
        probability,
        quantiles,
        kernels.slopes(probability, quantiles),
        kernels.slopes(quantiles, probability[None]),
    )

    def block(part: slice) -> tuple[Array, Array]:
        u = np.empty(part.stop - part.start)
        kernels.uniform(identity[part], *keys[0], u)
        luminous = part.start + np.flatnonzero(u < d.p_luminous[part])
        value = np.empty(len(luminous))
        kernels.uniform(identity[luminous], *keys[1], value)
        if d.rank is not None:
            value = ranked(d.take(luminous), value)
        location, scale = (np.asarray(v[luminous], np.float64) for v in (d.location, d.scale))
        row = np.asarray(d.residual_row[luminous], np.int64)
        kernels.inverse_cdf(location, scale, row, *law, float(d.floor), value)
        return luminous, value

    rows, values = zip(*blocks.over_blocks(block, len(ids)), strict=True)
    return np.concatenate(rows), np.concatenate(values)


def paint_scene(
    scene: Scene,
    painter: Painter,
    *,
    seed: int,
    predict: Callable[[], Distribution] | None = None,
) -> GalaxyCatalog:
    """Paint the galaxies of ``scene`` with ``painter``.

    Parameters
    ----------
    scene : Scene
        A box, or a tile of one.
    painter : Painter
    seed : int
        The same halos, painter and seed give the same galaxies, whatever the order of rows.
    predict : callable, optional
        Returns the painter's prediction, where it has been made for another seed.

    Returns
    -------
    GalaxyCatalog

    Raises
    ------
    MissingDatasetError
        The painter needs something that the scene does not hold.
    """
    halos = scene.halos
    with blocks.aside(partial(_input_digest, halos), len(halos)) as halo_digest:
        columns, prediction = paint_columns(scene, painter, seed=seed, predict=predict)
        whole = Whole(
            scene,
            Subhalos.of(halos),
            prediction,
            painter.describe(scene),
            describe_simulation(scene, halo_digest()),
        )
        return catalogue_of(whole, painter, columns, seed=seed)


def paint_columns(
    scene: Scene,
    painter: Painter,
    *,
    seed: int,
    predict: Callable[[], Distribution] | None = None,
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Paint the galaxies of ``scene``, and return their columns and the counts of the prediction.

    See `paint_scene`.
    """
    check_contents(painter, scene)
    halos = scene.halos
    distribution = painter.predict(scene) if predict is None else predict()
    rows, log_stellar_mass = draw(distribution, halos["halo_id"], seed=seed)
    prediction = count_prediction(distribution, halos)
    further = draw_further(
        *(distribution, rows, log_stellar_mass, halos["halo_id"]),
        seed=seed,
        declared=declared_columns(painter),
    )
    extrapolated, velocity = distribution.extrapolated, distribution.velocity
    del distribution  # makes room for the columns
    columns = galaxy_columns(halos, rows, log_stellar_mass, extrapolated, further)
    return bias_velocities(columns, scene, velocity, seed=seed), prediction


def count_prediction(distribution: Distribution, halos: HaloCatalog) -> dict[str, Any]:
    """Return the counts of a prediction for the provenance: plain JSON values."""
    centrals, satellites = blocks.sums(distribution.p_luminous, halos["is_central"])
    return {
        "subhalos": len(halos),
        "expected_centrals": round(centrals, 6),
        "expected_satellites": round(satellites, 6),
        **distribution.record,
    }


class Whole(NamedTuple):
    """What the provenance states of a whole scene, beside its galaxies.

    Parameters
    ----------
    scene : Scene
        Its halos may be left out: names of columns, record and definition are used.
    subhalos : Subhalos
    prediction : dict
        See `count_prediction`.
    described : dict
        The result of `Painter.describe`.
    simulation : dict
        See `describe_simulation`.
    """

    scene: Scene
    subhalos: Subhalos
    prediction: dict[str, Any]
    described: dict[str, Any]
    simulation: dict[str, Any]


def catalogue_of(
    whole: Whole, painter: Painter, columns: Mapping[str, Array], *, seed: int
) -> GalaxyCatalog:
    """Return the catalogue of all galaxies of a scene, whose provenance says what it lacks."""
    scene, subhalos, prediction, described, simulation = whole
    lack = lacking_galaxies(scene, painter, described, columns, simulation["hosts"])
    complete, lacking = completeness(
        floor_of(described), lack, columns, scene, prediction, subhalos
    )
    warn_of(lacking)
    doubts = {
        "lacking": lacking,
        "extrapolated": extrapolated_galaxies(columns, described),
        "more_stars_than_baryons": stars_and_baryons(columns, scene.snapshot.cosmology),
    }
    doubts = {name: value for name, value in doubts.items() if value}
    number = len(columns["galaxy_id"])
    if subhalos.number and not number:
        warn(f"none of the {subhalos.number} subhalos has a galaxy: the catalogue is empty")
    provenance = {
        "version": __version__,
        MADE_WITH: versions(*getattr(painter, "libraries", ())),
        "simulation": simulation,
        "painter": described | {"prediction": prediction},
        COMPLETENESS: complete.record(),
        **doubts,
        "seed": random.check_seed(seed),
        "cuts": [],
        "painted": number,
        "warnings": reading_warnings(scene),
    }
    declared = declared_columns(painter)
    own = tuple(column for name, column in declared.items() if name not in OUR_COLUMNS)
    return GalaxyCatalog(columns, scene.snapshot, scene.snapshot.frame, provenance, own)


def reading_warnings(scene: Scene) -> list[str]:
    """Return the warnings from reading the simulation and from populating it."""
    record = scene.snapshot.record
    return [str(text) for key in WARNINGS for text in record.get(key, ())]


def floor_of(painter: Mapping[str, Any]) -> Completeness:
    """Return the completeness of a painter's own law, from the painter's description.

    The law is complete from the luminosity floor on, or from the stellar mass that the painter
    states. If the painter states neither, nothing is known.
    """
    floor = float(painter.get("luminosity_floor_msun_h") or 0.0)
    start = Completeness(floor, because="luminosity floor of the law") if floor else Completeness()
    if painter.get(COMPLETE_FROM):
        start = Completeness(float(painter[COMPLETE_FROM]), because="the law has all from there on")
    if painter.get(SELECTED_BY):
        start = start.lacking(f"selected by {painter[SELECTED_BY]}, not by stellar mass")
    if painter.get("deterministic"):
        start = start.lacking("painted without a draw: less probable galaxies are not there")
    return start


def _input_digest(halos: HaloCatalog) -> str:
    """Return the digest of the halos that were read: of the hosts if satellites were added."""
    populated = halos.record.get(POPULATED)
    return halos.digest() if populated is None else str(populated["host_digest"])


def galaxy_columns(
    halos: HaloCatalog,
    rows: Array,
    log_stellar_mass: Array,
    extrapolated: Array,
    further: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Return the columns of the galaxies in ``rows``, in the row order of a `GalaxyCatalog`."""
    further = {} if further is None else further
    ids = blocks.take(halos.columns, {"galaxy_id": "halo_id", "halo_id": "host_id"}, rows)
    order = sorting_order(ids, ("halo_id", "galaxy_id"))
    if order is not None:  # sort now, or all columns would be taken twice
        rows, log_stellar_mass = rows[order], log_stellar_mass[order]
        ids, further = (
            {name: values[order] for name, values in group.items()} for group in (ids, further)
        )
    wanted: dict[str, str | tuple[str, int]] = {
        "is_central": "is_central",
        **{
            f"{name}_{axis}": (name, i)
            for name in ("position", "velocity")
            for i, axis in enumerate("xyz")
        },
        "halo_mass": "host_mass",
        "subhalo_mass": "mass",
    }
    if "vmax" in halos:  # many halo finders do not provide it
        wanted["vmax"] = "vmax"
    columns = ids | blocks.take(halos.columns, wanted, rows)
    flag = "extrapolated"
    columns |= blocks.take({flag: extrapolated}, {flag: flag}, rows)
    stellar_mass = np.empty(len(rows), dtype=GALAXY_COLUMNS["stellar_mass"].dtype)

    def block(part: slice) -> None:
        stellar_mass[part] = 10.0 ** log_stellar_mass[part]

    blocks.over_blocks(block, len(rows), of=len(halos))
    return {**columns, "stellar_mass": stellar_mass, **further}


def describe_simulation(
    scene: Scene, halo_digest: str, hosts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the provenance of the simulation: plain JSON values.

    Its hosts by mass are counted, if they are not given.
    """
    snapshot, halos = scene.snapshot, scene.halos
    if hosts is None:
        hosts = halos.hosts.once("hosts by mass", partial(count_hosts, halos.hosts))
    return {
        **simulation_facts(scene),
        "halo_digest": halo_digest,
        "hosts": hosts,
        "reading": {
            key: value
            for key, value in (dict(snapshot.record) | dict(halos.record)).items()
            if key not in WARNINGS  # these are among the warnings of the catalogue
        },
    }


def join(pieces: Sequence[GalaxyCatalog], whole: Scene) -> GalaxyCatalog:
    """Join the catalogues of the tiles of ``whole`` into one; counts are added up."""
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
            "simulation": describe_simulation(whole, whole.halos.digest()),
            "painter": {**first.provenance["painter"], "prediction": total},
            "painted": sum(p.provenance["painted"] for p in pieces),
        },
        first.plugin_columns,
    )
