"""The law that a mock was drawn from, predicted again and held against the truth.

A mock holds galaxies, not the law that they were drawn from. But it records its painter and seed:
the painter predicts again, and the galaxies drawn from its law with that seed have to be those of
the mock. So the law is the mock's own, or it is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MockgalError, listening
from ...laws.distribution import Distribution
from ...painters.choose import guarded, make_painter
from ...painters.draw import draw
from ...statistics.pit import probability_integral_transform
from ...statistics.result import Measurement
from ...system.progress import advance
from ...types import GalaxyCatalog, Scene
from .inputs import Inputs
from .painter_files import NotThere, with_files
from .twins import Twins

Array = NDArray[Any]

_SAME = 1e-3  # relative difference of stellar masses that count as the same: a GPU rounds otherwise
_ALIKE = 0.999  # least share of galaxies that must be the same
_OF_HOD = ("mode", "rank_by", "rank_correlation", "calibration", "allow_extrapolation")
_OF_CNN = ("weights", "average_symmetries", "precision", "allow_extrapolation")


class NoLaw(Exception):
    """The law of a mock is not known; the message says why, as the end of a sentence."""


def calibrations(
    inputs: Inputs, names: Sequence[str]
) -> tuple[dict[str, Measurement], dict[str, str]]:
    """Return the transform of the law of each mock, and for the others why it is not known.

    Parameters
    ----------
    inputs : Inputs
    names : sequence of str
        The mocks.

    Returns
    -------
    dict of str to Measurement
    dict of str to str
        Ends of sentences.
    """
    known, unknown = {}, {}
    for done, name in enumerate(names):
        advance(done, len(names), "laws of the painters")
        try:
            known[name] = _calibration(inputs, name)
        except NoLaw as reason:
            unknown[name] = str(reason)
    advance(len(names), len(names), "laws of the painters")
    return known, unknown


def _calibration(inputs: Inputs, name: str) -> Measurement:
    """Return the transform of the law of a mock; raise `NoLaw` if it is not known."""
    if inputs.sim is None:
        raise NoLaw("there is no simulation to predict it for (--sim)")
    if inputs.twins is None:
        raise NoLaw("the truth is not matched with the simulation")
    if inputs.hosts[name] is None:
        raise NoLaw("it was not painted on the halos of this simulation as they are read here")
    galaxies, baseline = inputs.catalogues[name], inputs.baselines.get(name)
    scene = replace(inputs.sim, halos=inputs.twins.dark.halos)
    if baseline is None:
        law = law_again(galaxies, scene, inputs.sources[name])
    elif baseline.law is None:
        raise NoLaw(baseline.without_law)
    else:
        law = baseline.law
    return calibration_of(law, inputs.twins, int(galaxies.provenance["seed"]))


def law_again(galaxies: GalaxyCatalog, sim: Scene, source: str = "") -> Distribution:
    """Return the law that a mock was drawn from, row for row of the halos of a simulation.

    It takes about as long as painting did.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        A mock, cut or not.
    sim : Scene
        The simulation that it was painted on.
    source : str
        Path of the mock, near which the files of its painter are looked for.

    Raises
    ------
    NoLaw
        The painter cannot be made again, predicts no law with scatter, or the galaxies that it
        gives with the recorded seed are not those of the mock.
    """
    described = galaxies.provenance.get("painter", {})
    name, seed = described.get("name"), galaxies.provenance.get("seed")
    if not isinstance(name, str) or not isinstance(seed, int):
        raise NoLaw("its file does not state a painter and a seed")
    if described.get("deterministic"):
        raise NoLaw("it was painted without a draw")
    try:
        options = with_files(_options(galaxies.provenance, described), galaxies, source)
    except NotThere as reason:
        raise NoLaw(str(reason)) from reason
    try:
        with listening(quiet=True):
            painter = make_painter(name, options)
            with guarded(name, sim):
                law = painter.predict(sim)
            same = _drawn_again(law, galaxies, sim.halos["halo_id"], seed)
    except MockgalError as error:
        raise NoLaw(
            f"its painter could not predict again ({error.where}: found {error.found}, expected "
            f"{error.expected})"
        ) from error
    if not same:
        raise NoLaw("the galaxies that its painter gives here with its seed are other ones")
    if law.rank is not None and abs(law.rank_correlation) == 1.0:
        raise NoLaw("its painter predicts one stellar mass for each rank, without scatter")
    return law


def _options(provenance: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the painter: as they were given, or as the painter describes itself."""
    given = provenance.get("configuration", {}).get("painter_options")
    if isinstance(given, Mapping):
        return dict(given)
    if described["name"] not in ("hod", "cnn"):
        raise NoLaw(
            f"its file does not state the options of its painter {described['name']}, as mocks of "
            "`mockgal build` do (build it with that)"
        )
    names = _OF_CNN if described["name"] == "cnn" else _OF_HOD
    options = {key: described[key] for key in names if key in described}
    if options.get("rank_by") == "none":
        del options["rank_by"], options["rank_correlation"]
    if options.get("mode") == "uncorrected":
        options |= {"mode": "corrected", "missing_twin": "uncorrected"}
    return options


def _drawn_again(law: Distribution, galaxies: GalaxyCatalog, ids: Array, seed: int) -> bool:
    """Return whether the galaxies of a mock are among those drawn from a law."""
    rows, log_mass = draw(law, ids, seed=seed)
    order = np.argsort(ids[rows], kind="stable")
    drawn, mass = ids[rows][order], 10.0 ** log_mass[order]
    if not len(drawn) or not len(galaxies):
        return False
    place = np.minimum(np.searchsorted(drawn, galaxies["galaxy_id"]), len(drawn) - 1)
    own = galaxies["stellar_mass"].astype(np.float64)
    same = (drawn[place] == galaxies["galaxy_id"]) & (np.abs(mass[place] / own - 1.0) < _SAME)
    return bool(np.mean(same) >= _ALIKE)


def calibration_of(law: Distribution, twins: Twins, seed: int) -> Measurement:
    """Return the probability integral transform of a law at the masses of matched galaxies.

    Subhalos that cannot have a galaxy by the law are left out; the settings count them, and how
    many of them have one.

    Parameters
    ----------
    law : Distribution
        Row for row of the halos of ``twins.dark``.
    twins : Twins
    seed : int
        Of the random numbers for subhalos without a galaxy.
    """
    rows = np.flatnonzero(law.p_luminous > 0)
    out = law.p_luminous <= 0
    floor = 10.0**law.floor
    found = probability_integral_transform(
        law.take(rows),
        twins.stellar_mass[rows],
        ids=twins.dark.halos["halo_id"][rows],
        seed=seed,
    )
    left_out = {
        "subhalos_without_a_law": int(np.sum(out)),
        "luminous_without_a_law": int(np.sum(out & (twins.stellar_mass >= max(floor, 5e-324)))),
        "truth": f"stellar masses of galaxies matched by {twins.method}",
    }
    return replace(found, settings={**found.settings, **left_out})
