"""Twins are told from runs that are none, and the evidence is given."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from twin_samples import PARTICLE, make_twins, permuted

from mockgal.calibration.matching.twins import LEAST_HOSTS, check_twins
from mockgal.errors import (
    DomainError,
    HeaderError,
    MissingDatasetError,
    MockgalError,
    MockgalWarning,
)
from mockgal.readers.detect import read
from mockgal.testing import synthetic_pair
from mockgal.types import HaloCatalog

DATA = Path(__file__).parents[3] / "shared/data/gadget4"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared simulation is not here")


untold = pytest.mark.filterwarnings("ignore:.*same phases was not found out")


def changed(scene, **facts):
    return replace(scene, snapshot=replace(scene.snapshot, **facts))


def of_cosmology(scene, **facts):
    return changed(scene, cosmology=replace(scene.snapshot.cosmology, **facts))


def at(scene, position):
    columns = {**scene.halos.columns, "position": position % scene.snapshot.box_size}
    return replace(scene, halos=replace(scene.halos, columns=columns))


def test_evidence_of_twins():
    twins = make_twins(200, lost=0.05)
    found = check_twins(twins.hydro, twins.dark)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["box_size"] == [100.0, 100.0]
    assert found["omega_b"] == [0.045, 0.045]
    assert found["particle_mass_ratio"] == pytest.approx(0.85)
    assert found["particle_mass_ratio_expected"] == pytest.approx(0.85)
    phases = found["phases"]
    assert phases["conclusion"] == "the same phases"
    assert phases["hosts"] == 100
    assert phases["with_a_neighbour_in_place"] > 85
    assert phases["with_one_after_a_shift"] < 5
    assert phases["particle_ids"]["relation"] == "hydro id = dark id"


def test_rows_in_any_order():
    twins = make_twins(100)
    assert check_twins(permuted(twins.hydro, 1), permuted(twins.dark, 2)) == check_twins(
        twins.hydro, twins.dark
    )


def test_twins_without_particles():
    hydro, dark = synthetic_pair(2000)
    found = check_twins(hydro, dark)
    assert found["phases"]["conclusion"] == "the same phases"
    assert "no ids" in found["phases"]["particle_ids"]["not_found"]
    assert found["particle_mass_ratio"] == 1.0
    assert found["particle_mass_ratio_expected"] is None


@pytest.mark.fault(83)
@pytest.mark.parametrize(
    "change",
    [
        lambda dark: changed(dark, redshift=0.5),
        lambda dark: changed(dark, box_size=100.1),
        lambda dark: of_cosmology(dark, h=0.71),
        lambda dark: of_cosmology(dark, omega_m=0.31),
        lambda dark: of_cosmology(dark, omega_lambda=0.71),
        lambda dark: of_cosmology(dark, omega_b=0.046),
        lambda dark: changed(dark, particle_mass=8 * PARTICLE),
        lambda dark: changed(dark, particle_mass=0.85 * PARTICLE),
    ],
    ids=["redshift", "box", "h", "omega_m", "omega_lambda", "omega_b", "coarser", "as light"],
)
def test_runs_that_are_no_twins(change, exit_code):
    twins = make_twins(60)
    with pytest.raises(HeaderError) as caught:
        check_twins(twins.hydro, change(twins.dark))
    assert caught.value.exit_code == exit_code
    assert caught.value.fix
    assert "hydro and dark" in str(caught.value)


@pytest.mark.fault(83)
@pytest.mark.parametrize("ids", [True, False])
def test_other_phases(ids, exit_code):
    """Unrelated runs have the same ids, masses, box and cosmology."""
    twins = make_twins(200, unlike=True)
    hydro = twins.hydro if ids else replace(twins.hydro, members=None)
    with pytest.raises(HeaderError, match=r"\d of the 100 heaviest") as caught:
        check_twins(hydro, twins.dark)
    assert caught.value.exit_code == exit_code
    assert "50% or more" in caught.value.expected
    with pytest.raises(HeaderError, match="heaviest hosts"):
        check_twins(at(hydro, hydro.halos["position"] + 30.0), twins.dark)


def test_positions_that_are_shuffled():
    """Hosts change places, each with its satellites."""
    hydro, dark = synthetic_pair(2000)
    halos = hydro.halos
    central = np.flatnonzero(halos["is_central"])
    step = np.zeros((len(halos), 3))
    step[central] = np.random.default_rng(1).permutation(halos["position"][central])
    step[central] -= halos["position"][central]
    position = halos["position"] + step[halos.host_row]
    with pytest.raises(HeaderError, match=r"\(100\.0%\).* -?0\.[01]"):
        check_twins(at(hydro, position), dark)
    position = np.random.default_rng(1).permutation(halos["position"])
    with pytest.raises(HeaderError, match="heaviest hosts"):
        check_twins(at(hydro, position), dark)


@untold
def test_too_few_to_tell():
    for unlike in (False, True):
        twins = make_twins(10, unlike=unlike, lost=0.0)
        phases = check_twins(twins.hydro, twins.dark)["phases"]
        assert phases["conclusion"] == f"too few hosts to tell: fewer than {LEAST_HOSTS}"
        assert phases["hosts"] == 5
        assert ("relation" in phases["particle_ids"]) != unlike


@untold
def test_no_hosts_at_all():
    twins = make_twins(5)
    hydro, dark = (replace(s, halos=s.halos.take(np.arange(0))) for s in (twins.hydro, twins.dark))
    assert "too few" in check_twins(hydro, dark)["phases"]["conclusion"]


@untold
def test_crowded_boxes_tell_nothing():
    """Where any place is within the radius of a host, a neighbour proves nothing."""
    twins = make_twins(400, unlike=True, box=0.8)
    phases = check_twins(twins.hydro, twins.dark)["phases"]
    assert phases["conclusion"] == "hosts too crowded to tell"
    assert phases["with_one_after_a_shift"] > 0.25 * phases["hosts"]


def test_runs_given_the_wrong_way_round():
    twins = make_twins(60)
    with pytest.raises(MissingDatasetError, match="hydrodynamic run first"):
        check_twins(twins.dark, twins.hydro)
    light, heavy = (s.snapshot.particle_mass for s in (twins.hydro, twins.dark))
    swapped = changed(twins.hydro, particle_mass=heavy), changed(twins.dark, particle_mass=light)
    with pytest.raises(HeaderError, match="hydrodynamic run first"):
        check_twins(*swapped)
    heavier = of_cosmology(changed(twins.hydro, particle_mass=2 * PARTICLE), omega_b=None)
    with pytest.raises(HeaderError, match="1 at most"):
        check_twins(heavier, of_cosmology(twins.dark, omega_b=None))


def test_stars_masses_and_definitions():
    twins = make_twins(60)
    with pytest.raises(MissingDatasetError, match="no particle mass"):
        check_twins(twins.hydro, changed(twins.dark, particle_mass=None))
    with pytest.raises(MissingDatasetError, match="found stellar masses"):
        check_twins(twins.hydro, twins.hydro)
    other = replace(twins.dark, halos=HaloCatalog(twins.dark.halos.columns, "200m"))
    with pytest.raises(DomainError, match="200c and 200m"):
        check_twins(twins.hydro, other)
    unknown = check_twins(changed(twins.hydro, particle_mass=None), twins.dark)
    assert unknown["particle_mass_ratio"] is None


def test_a_gravity_only_run_may_say_that_it_has_no_baryons():
    twins = make_twins(60)
    found = check_twins(twins.hydro, of_cosmology(twins.dark, omega_b=0.0))
    assert "omega_b" not in found
    assert found["particle_mass_ratio_expected"] == pytest.approx(0.85)


@pytest.mark.real_data
@needs_data
@pytest.mark.parametrize("output", ["000", "001", "002"])
def test_the_real_pair(output):
    hydro, dark = (read(DATA / run / f"groups_{output}") for run in ("hydro", "dark"))
    found = check_twins(hydro, dark)
    assert found["phases"]["conclusion"] == "the same phases"
    ratio = found["particle_mass_ratio"]
    assert ratio == pytest.approx(found["particle_mass_ratio_expected"], rel=1e-3)
    phases = found["phases"]
    assert phases["with_a_neighbour_in_place"] > 0.9 * phases["hosts"]
    assert phases["correlation_of_log_masses"] > 0.9
    assert phases["with_one_after_a_shift"] < 0.05 * phases["hosts"]
    turned = at(dark, dark.halos["position"][:, [1, 2, 0]])
    with pytest.raises(MockgalError, match="heaviest hosts"):
        check_twins(hydro, turned)


def test_what_cannot_be_told_is_warned_of():
    twins = make_twins(10, lost=0.0)
    with pytest.warns(MockgalWarning, match="too few hosts to tell"):
        check_twins(twins.hydro, twins.dark)
