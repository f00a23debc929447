"""Matching: exact where the counterparts are known, bijective, and the same by two ways."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twin_samples import make_twins, members_of, permuted

from mockgal.calibration.matching import particle_ids
from mockgal.calibration.matching.match import (
    BY_IDS,
    BY_POSITION,
    hosts,
    match,
    match_hosts,
    quality,
)
from mockgal.errors import BadValueError, InputError, UsageError
from mockgal.readers.detect import read
from mockgal.types import Scene

DATA = Path(__file__).parents[3] / "shared/data/gadget4"
EDGES = np.arange(10.0, 12.1, 0.5)

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared simulation is not here")
METHODS = pytest.mark.parametrize("method", ["ids", "position"])


def halo_ids(matches, hydro, dark):
    rows = matches.hydro_rows, matches.dark_rows
    return np.stack([hydro.halos["halo_id"][rows[0]], dark.halos["halo_id"][rows[1]]], axis=1)


@METHODS
def test_known_counterparts_are_found(method):
    twins = make_twins(lost=0.2)
    found = match(twins.hydro, twins.dark, method=method)
    np.testing.assert_array_equal(halo_ids(found, twins.hydro, twins.dark), twins.pairs)
    assert found.method == {"ids": BY_IDS, "position": BY_POSITION}[method]
    pairs = found.record["pairs"]
    assert sum(pairs.values()) == len(found) == len(twins.pairs) < len(twins.dark.halos)
    central = np.sum(np.isin(twins.dark.halos["halo_id"][:60], twins.pairs[:, 1]))
    assert pairs["hydro central, dark central"] == central
    assert pairs["hydro satellite, dark central"] == 0
    assert found.record["dark_unmatched"] == len(twins.dark.halos) - len(twins.pairs)
    assert json.loads(json.dumps(found.record, allow_nan=False)) == found.record


@pytest.mark.parametrize(
    ("convert", "relation"),
    [
        (lambda ids: ids, "hydro id = dark id"),
        (lambda ids: ids - 1, "hydro id = dark id -1"),
        (lambda ids: ids + 262144, "hydro id = dark id +262144"),
        (lambda ids: 2 * ids, "hydro id = 2 x dark id"),
        (lambda ids: 2 * ids + 1, "hydro id = 2 x dark id +1"),
        (lambda ids: ids + 2**62, f"hydro id = dark id +{2**62}"),
    ],
)
def test_the_relation_of_the_ids_is_found(convert, relation):
    twins = make_twins(convert=convert)
    found = match(twins.hydro, twins.dark)
    assert found.record["ids"]["relation"] == relation
    assert found.record["ids"]["shared"] > 0.8
    np.testing.assert_array_equal(halo_ids(found, twins.hydro, twins.dark), twins.pairs)


def mixed_ids():
    """Twins whose ids are in no relation."""
    return make_twins(convert=lambda ids: ids**3 % 1000003)


def without(scene):
    return replace(scene, members=None)


@pytest.mark.fault(44)
def test_ids_that_do_not_go_together(exit_code):
    twins = mixed_ids()
    with pytest.raises(InputError, match="best relation") as caught:
        match(twins.hydro, twins.dark, method="ids")
    assert caught.value.exit_code == exit_code
    assert caught.value.fix
    for hydro, dark, name in (
        (without(twins.hydro), twins.dark, "hydro"),
        (twins.hydro, without(twins.dark), "dark"),
    ):
        with pytest.raises(InputError, match=f"{name}: found no ids of the particles") as caught:
            match(hydro, dark, method="ids")
        assert caught.value.exit_code == exit_code


def test_by_position_where_ids_do_not_go_together():
    twins = mixed_ids()
    found = match(twins.hydro, twins.dark)
    assert found.method == BY_POSITION
    assert "shared by the best relation" in found.record["not_by_ids"]
    np.testing.assert_array_equal(halo_ids(found, twins.hydro, twins.dark), twins.pairs)
    assert "no ids" in match(without(twins.hydro), twins.dark).record["not_by_ids"]
    wanted = match(twins.hydro, twins.dark, method="position")
    assert "not_by_ids" not in wanted.record
    assert (wanted.record["chosen_by"], found.record["chosen_by"]) == ("user", "default")


def test_unknown_method():
    twins = make_twins(10)
    with pytest.raises(UsageError, match="one of ids, position"):
        match(twins.hydro, twins.dark, method="names")


@METHODS
@settings(max_examples=15)
@given(
    seed=st.integers(0, 1000),
    hosts=st.integers(3, 30),
    lost=st.floats(0, 0.6),
    box=st.sampled_from([0.7, 1.0, 20.0]),
)
def test_bijective_whatever_the_order_of_rows(method, seed, hosts, lost, box):
    """Rows may come in any order; each is in one pair at most; also where hosts overlap."""
    twins = make_twins(hosts, seed=seed, lost=lost, box=box)
    if not len(match_hosts(twins.hydro.halos, twins.dark.halos, twins.dark.snapshot)[0]) > 1:
        return
    found = match(twins.hydro, twins.dark, method=method)
    for rows in (found.hydro_rows, found.dark_rows):
        assert len(np.unique(rows)) == len(rows)
    other = permuted(twins.hydro, seed), permuted(twins.dark, seed + 1)
    np.testing.assert_array_equal(
        halo_ids(match(*other, method=method), *other), halo_ids(found, twins.hydro, twins.dark)
    )


@METHODS
def test_the_box_is_periodic(method):
    twins = make_twins(60, box=6.0)

    def shifted(scene, by):
        position = (scene.halos["position"] + by) % 6.0
        columns = {**scene.halos.columns, "position": position}
        return replace(scene, halos=replace(scene.halos, columns=columns))

    expected = quality(
        match(twins.hydro, twins.dark, method=method), twins.hydro, twins.dark, EDGES
    )
    for by in (0.1, 1.7, 3.0):
        hydro, dark = shifted(twins.hydro, by), shifted(twins.dark, by)
        found = match(hydro, dark, method=method)
        np.testing.assert_array_equal(halo_ids(found, hydro, dark), twins.pairs)
        result = quality(found, hydro, dark, EDGES)
        np.testing.assert_array_equal(result.confirmed, expected.confirmed)
        np.testing.assert_array_equal(result.confirmed, result.matched)


def test_swapping_the_runs_gives_the_same_pairs():
    twins = make_twins(30)
    found = match(twins.hydro, twins.dark, method="position")
    back = match(twins.dark, twins.hydro, method="position")
    there = halo_ids(found, twins.hydro, twins.dark)
    here = halo_ids(back, twins.dark, twins.hydro)[:, ::-1]
    np.testing.assert_array_equal(there, here[np.argsort(here[:, 1])])


def test_a_satellite_may_match_a_central():
    """Two subhalos of a host change places in rank between the runs."""
    twins = make_twins(40, lost=0.0)
    halos = twins.hydro.halos
    first, second = np.flatnonzero(halos["host_id"] == halos["host_id"][0])
    host_id, central = halos["host_id"].copy(), halos["is_central"].copy()
    host_id[[first, second]] = halos["halo_id"][second]
    central[first], central[second] = False, True
    columns = {**halos.columns, "host_id": host_id, "is_central": central}
    hydro = replace(twins.hydro, halos=replace(halos, columns=columns))
    found = match(hydro, twins.dark, method="ids")
    np.testing.assert_array_equal(halo_ids(found, hydro, twins.dark), twins.pairs)
    assert found.record["pairs"]["hydro central, dark satellite"] == 1
    assert found.record["pairs"]["hydro satellite, dark central"] == 1
    assert len(hosts(found, hydro, twins.dark)[0]) == 39
    assert len(hosts(found, twins.hydro, twins.dark)[0]) == 40
    assert match(hydro, twins.dark, method="position").record["dark_unmatched"] == 2


def test_hosts_have_masses():
    twins = make_twins(20, lost=0.0)
    halos = twins.dark.halos
    mass = np.where(halos["host_id"] == halos["host_id"][3], 0.0, halos["host_mass"])
    dark = replace(twins.dark, halos=replace(halos, columns={**halos.columns, "host_mass": mass}))
    found = match(twins.hydro, dark, method="position")
    rows = hosts(found, twins.hydro, dark)
    assert len(found) == 40
    np.testing.assert_array_equal(rows[1], np.delete(np.arange(20), 3))


@METHODS
def test_votes_and_neighbours_beat_distractors(method):
    """Of a split halo, the fragment that keeps the innermost particles is the counterpart."""
    twins = make_twins(20, lost=0.0)
    halos, members = twins.dark.halos, twins.dark.members
    ids = np.split(
        members.read(halos["halo_id"], 10**6), np.cumsum(members.count(halos["halo_id"]))[:-1]
    )
    columns = {k: np.concatenate([v, v[:1]]) for k, v in halos.columns.items()}
    columns["halo_id"][-1] = 10_000
    columns["is_central"][-1] = False
    columns["mass"][-1] *= 0.9
    columns["position"][-1] += 0.01
    dark = Scene(
        twins.dark.snapshot,
        replace(halos, columns=columns),
        members=members_of(columns["halo_id"], [ids[0][40:], *ids[1:], ids[0][:40]]),
    )
    found = halo_ids(match(twins.hydro, dark, method=method), twins.hydro, dark)
    assert len(np.unique(found[:, 0])) == len(found)
    of_first = found[found[:, 0] == twins.pairs[0, 0], 1]
    assert of_first.tolist() == [10_000 if method == "ids" else 1]
    rest = found[found[:, 0] != twins.pairs[0, 0]]
    np.testing.assert_array_equal(rest, twins.pairs[1:])


def test_a_particle_in_two_subhalos():
    twins = make_twins(10)
    halos = twins.dark.halos
    ids = twins.dark.members.read(halos["halo_id"][:1], 10**6)
    groups = [twins.dark.members.read(halos["halo_id"][i : i + 1], 10**6) for i in range(20)]
    groups[15] = np.concatenate([ids[:5], groups[15]])
    dark = replace(twins.dark, members=members_of(halos["halo_id"], groups))
    with pytest.raises(BadValueError, match="two subhalos 5 times"):
        match(twins.hydro, dark)


def test_members_read_in_blocks(monkeypatch):
    twins = make_twins(20)
    whole = match(twins.hydro, twins.dark)
    monkeypatch.setattr(particle_ids, "_BLOCK", 100)
    in_blocks = match(twins.hydro, twins.dark)
    np.testing.assert_array_equal(whole.hydro_rows, in_blocks.hydro_rows)
    np.testing.assert_array_equal(whole.dark_rows, in_blocks.dark_rows)


def empty(scene):
    return Scene(scene.snapshot, scene.halos.take(np.arange(0)), members=scene.members)


def test_nothing_to_match():
    twins = make_twins(5)
    for hydro, dark in (
        (empty(twins.hydro), twins.dark),
        (twins.hydro, empty(twins.dark)),
        (empty(twins.hydro), empty(twins.dark)),
    ):
        found = match(hydro, dark)
        assert len(found) == 0
        assert "0 hosts" in found.record["not_by_ids"]
        shares = quality(found, hydro, dark, EDGES)
        assert np.all(np.isnan(shares.purity))
    assert quality(found, hydro, dark, EDGES).to_dict()["central"]["completeness"] == [None] * 4


@METHODS
def test_quality_of_what_is_known(method):
    twins = make_twins(300, lost=0.3)
    found = match(twins.hydro, twins.dark, method=method)
    result = quality(found, twins.hydro, twins.dark, EDGES)
    there = np.isin(twins.dark.halos["halo_id"], twins.pairs[:, 1])
    central = twins.dark.halos["is_central"]
    number = [np.sum(central), np.sum(~central)]
    np.testing.assert_array_equal(result.subhalos.sum(axis=1), number)
    np.testing.assert_array_equal(
        result.matched.sum(axis=1), [np.sum(there & central), np.sum(there & ~central)]
    )
    some = result.matched > 0
    assert some.sum() >= 4
    np.testing.assert_array_equal(result.confirmed, result.matched)
    np.testing.assert_array_equal(result.purity[some], 1.0)
    assert np.all(np.isnan(result.purity[~some]))
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert ("hydro id" in text) == (method == "position")


def test_wrong_pairs_are_not_confirmed():
    twins = make_twins(100, lost=0.0)
    for method in ("ids", "position"):
        found = match(twins.hydro, twins.dark, method=method)
        central = np.flatnonzero(found.dark_rows < 100)
        rows = found.hydro_rows.copy()
        rows[central[:20]] = np.roll(rows[central[:20]], 1)
        result = quality(replace(found, hydro_rows=rows), twins.hydro, twins.dark, [10.5, 12])
        assert result.matched[0] - result.confirmed[0] == 20
        assert result.purity[0] == pytest.approx(0.8)


def test_purity_that_nothing_measures():
    twins = make_twins(30)
    hydro, dark = without(twins.hydro), without(twins.dark)
    result = quality(match(hydro, dark), hydro, dark, EDGES)
    assert result.confirmed is None
    assert np.all(np.isnan(result.purity))
    assert result.completeness[0, 3] > 0.5
    plain = result.to_dict()
    assert plain["confirmed_by"].startswith("not measured")
    assert plain["central"]["confirmed"] is None
    assert plain["central"]["purity"] == [None] * 4


@pytest.fixture(scope="module")
def real():
    return tuple(read(DATA / run / "groups_002") for run in ("hydro", "dark"))


@pytest.mark.real_data
@needs_data
def test_real_twins_agree_by_both_ways(real):
    hydro, dark = real
    by_ids, by_position = (match(hydro, dark, method=m) for m in ("ids", "position"))
    assert by_ids.record["ids"]["relation"] == "hydro id = dark id"
    pairs, others = ({*map(tuple, halo_ids(m, hydro, dark))} for m in (by_ids, by_position))
    central = {int(i) for i in dark.halos["halo_id"][dark.halos["is_central"]]}
    agree = pairs & others
    positions = [p for p in others if p[1] in central]
    assert len([p for p in agree if p[1] in central]) >= 0.98 * len(positions)
    assert len(agree) >= 0.95 * len(others)
    # Bins above 60 gravity-only particles for centrals.
    result = quality(by_ids, hydro, dark, [10.9, 12.0, 13.5])
    assert np.all(result.completeness[0] > 0.97)
    assert np.all(result.purity[0] > 0.9)


@pytest.mark.real_data
@needs_data
def test_neighbouring_relations_are_told_apart(real):
    """By an id one off most particles are still in the counterpart: they began as neighbours."""
    hydro, dark = real
    near = match_hosts(hydro.halos, dark.halos, dark.snapshot)
    relation = particle_ids.find_relation(hydro, dark, near)
    assert (relation.multiplier, relation.offset) == (1, 0)
    for offset in (1, 64, -4096):

        def renumbered(halo_id, most, offset=offset):
            return hydro.members.read(halo_id, most) + offset

        other = replace(hydro, members=replace(hydro.members, read=renumbered))
        assert particle_ids.find_relation(other, dark, near).offset == offset
        np.testing.assert_array_equal(match(other, dark).dark_rows, match(hydro, dark).dark_rows)
