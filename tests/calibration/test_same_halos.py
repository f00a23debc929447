"""Galaxies that belong to the gravity-only subhalos themselves: joined, counted, calibrated on."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

import mockgal
from mockgal.calibration.matching.match import match
from mockgal.calibration.matching.same_halos import METHOD
from mockgal.errors import (
    BadValueError,
    DomainError,
    HeaderError,
    MissingDatasetError,
    MockgalWarning,
    UnitsError,
    UsageError,
)
from mockgal.layout import TRUTH
from mockgal.testing import synthetic_pair

SAGE = Path(__file__).parents[3] / "shared/data/gadget4-sage"
DEMO = Path(__file__).parents[2] / "catalogs/demo/dark.hdf5"
BY_ID = "halo_id=halo, stellar_mass=mstar [Msun/h]"
BY_POSITION = "position=x y z [Mpc/h], stellar_mass=mstar [Msun/h]"
FLOOR = "1e9 Msun/h"


@pytest.fixture(scope="module")
def dark():
    return synthetic_pair(600, seed=3, box_size=60.0)[1]


@pytest.fixture
def galaxies(dark):
    """One for each subhalo, of 2% of its mass to 0.1 dex, in another order; some without stars."""
    rng = np.random.default_rng(5)
    halos = dark.halos
    mass = 0.02 * halos["mass"] * 10 ** rng.normal(0.0, 0.1, len(halos))
    mass[rng.random(len(halos)) < 0.05] = 0.0
    x, y, z = halos["position"].T
    order = rng.permutation(len(halos))
    table = {"halo": halos["halo_id"], "mstar": mass, "x": x, "y": y, "z": z}
    return {name: values[order] for name, values in table.items()}


def joined(dark, table, columns=BY_ID):
    return mockgal.Truth(table, columns).on(dark)


@pytest.mark.parametrize("columns", [BY_ID, BY_POSITION, f"halo_id=halo, {BY_POSITION}"])
def test_each_galaxy_is_on_its_subhalo(dark, galaxies, columns):
    truth = joined(dark, galaxies, columns)
    own = dict(zip(galaxies["halo"].tolist(), galaxies["mstar"].tolist(), strict=True))
    assert truth.halos["stellar_mass"].tolist() == [own[i] for i in dark.halos["halo_id"].tolist()]
    counts = truth.snapshot.record[TRUTH]
    starry = np.count_nonzero(galaxies["mstar"])
    assert (counts["galaxies"], counts["joined"], counts["orphans"]) == (starry, starry, 0)
    assert counts["subhalos_without_galaxy"] == len(dark.halos) - starry


def test_orphans_are_counted_and_said(dark, galaxies):
    """Half with the id -1, half with the id of a subhalo that is no more."""
    more = {name: np.append(v, v[:20]) for name, v in galaxies.items()}
    more["halo"][-20:-10] = -1
    more["halo"][-10:] = 10**12 + np.arange(10)
    more["mstar"][-20:] = 1e10
    with pytest.warns(MockgalWarning, match="left out: 20 "):
        truth = joined(dark, more)
    counts = truth.snapshot.record[TRUTH]
    assert counts["orphans"] == 20
    assert counts["stellar_mass_share_of_orphans"] == pytest.approx(2e11 / more["mstar"].sum())
    assert truth.halos["stellar_mass"].sum() == pytest.approx(galaxies["mstar"].sum())


def test_a_file_says_its_units_itself(dark, galaxies, tmp_path):
    path = tmp_path / "galaxies.ecsv"
    mass = galaxies["mstar"] / dark.snapshot.cosmology.h
    table = Table({"halo_id": galaxies["halo"], "stellar_mass": mass})
    table["stellar_mass"].unit = "Msun"
    table.write(path)
    truth = mockgal.Truth(path).on(dark)
    want = joined(dark, galaxies).halos["stellar_mass"]
    assert truth.halos["stellar_mass"] == pytest.approx(want)
    (file,) = truth.snapshot.source
    assert (file.path, len(file.digest)) == (str(path), 64)


def changed(**values):
    return lambda table: table | {name: f(table) for name, f in values.items()}


@pytest.mark.parametrize(
    ("change", "columns", "error", "said"),
    [
        (
            changed(halo=lambda t: np.where(t["halo"] == t["halo"][0], t["halo"][1], t["halo"])),
            BY_ID,
            BadValueError,
            "1 rows on a subhalo that another row is on",
        ),
        (changed(halo=lambda t: t["halo"] + 10**9), BY_ID, HeaderError, "which no subhalo of"),
        (changed(x=lambda t: np.roll(t["x"], 1)), BY_POSITION, HeaderError, "at redshift 0"),
        (
            changed(**{x: lambda t, x=x: 1e3 * t[x] for x in "xyz"}),
            BY_POSITION,
            UnitsError,
            r"\[kpc/h\]",
        ),
        (
            changed(**{x: lambda t, x=x: t[x] / 0.6774 for x in "xyz"}),
            BY_POSITION,
            UnitsError,
            r"multiplied by 0.6774.*\[Mpc\] in place of \[Mpc/h\]",
        ),
        (
            changed(**{x: lambda t, x=x: t[x] / 0.7 for x in "xyz"}),
            BY_POSITION,
            HeaderError,
            "in a box of 60 Mpc/h",
        ),
        (
            changed(halo=lambda t: np.roll(t["halo"], 1)),
            f"halo_id=halo, {BY_POSITION}",
            HeaderError,
            "away from the subhalo with their id",
        ),
        (
            changed(halo=lambda t: np.roll(t["halo"], 1)),
            BY_ID,
            HeaderError,
            "rank correlation of",
        ),
        (changed(mstar=lambda t: t["mstar"] / 1e10), BY_ID, UnitsError, "1e10 Msun/h"),
        (changed(mstar=lambda t: t["mstar"] * -1), BY_ID, BadValueError, "not negative"),
        (changed(mstar=lambda t: t["mstar"] * 0), BY_ID, BadValueError, "no galaxy with stars"),
        (changed(halo=lambda t: t["halo"] + 0.5), BY_ID, BadValueError, "halo"),
        (lambda t: {"halo": t["halo"]}, "halo_id=halo", MissingDatasetError, "no column for stel"),
        (lambda t: t, "stellar_mass=mstar [Msun/h]", MissingDatasetError, "halo_id or position"),
        (lambda t: t, "halo_id=halo, stellar_mass=mstar", MissingDatasetError, "no unit of"),
        (lambda t: t, "halo_id=halo, stellar_mass=mass [Msun/h]", UsageError, "correct the name"),
        (lambda t: t, f"{BY_ID}, vmax=x [km/s]", MissingDatasetError, "leave the others out"),
    ],
)
def test_what_cannot_be_joined_is_refused(dark, galaxies, change, columns, error, said):
    with pytest.raises(error, match=said):
        joined(dark, change(galaxies), columns)


@pytest.mark.parametrize(("shift", "said"), [(1, "once 1 is subtracted"), (-1, "once 1 is added")])
def test_ids_that_count_from_another_number_are_refused(shift, said):
    """Ids of Subfind are rows, sorted by mass within a group, so neighbours are alike."""
    demo = mockgal.read(DEMO)
    ids, mass = demo.halos["halo_id"], demo.halos["mass"]
    assert np.array_equal(np.sort(ids), np.arange(len(ids)))
    stars = 0.02 * mass * 10 ** np.random.default_rng(2).normal(0.0, 0.2, len(mass))
    table = {"halo": ids, "mstar": stars}
    assert joined(demo, table).snapshot.record[TRUTH]["orphans"] == 0
    # Without the last or first row no id tells: each is that of a subhalo.
    kept = ids != (ids.max() if shift > 0 else 0)
    with pytest.raises(HeaderError, match=said):
        joined(demo, {"halo": ids[kept] + shift, "mstar": stars[kept]})


@pytest.mark.parametrize("scatter", [0.1, 0.4])
def test_right_ids_pass_whatever_the_draw(scatter):
    demo = mockgal.read(DEMO)
    ids, mass = demo.halos["halo_id"], demo.halos["mass"]
    for seed in range(20):
        draw = np.random.default_rng(seed)
        stars = 0.02 * mass * 10 ** draw.normal(0.0, scatter, len(mass))
        kept = draw.random(len(ids)) < 0.9
        joined(demo, {"halo": ids[kept], "mstar": stars[kept]})


def test_another_redshift_is_refused(dark, galaxies, tmp_path):
    path = tmp_path / "galaxies.csv"
    Table({"halo_id": galaxies["halo"], "stellar_mass": galaxies["mstar"]}).write(path)
    beside = tmp_path / "galaxies.csv.yaml"
    beside.write_text("columns:\n  stellar_mass: stellar_mass [Msun/h]\nredshift: 1.0\n")
    with pytest.raises(DomainError, match="redshift 1, expected 0"):
        mockgal.Truth(path).on(dark)
    beside.write_text("columns:\n  stellar_mass: stellar_mass [Msun/h]\nredshift: 0\n")
    assert mockgal.Truth(path).on(dark).snapshot.record[TRUTH]["joined"] > 500


def test_galaxies_of_another_run_are_refused(dark, galaxies):
    truth = joined(dark, galaxies)
    other = synthetic_pair(600, seed=4, box_size=60.0)[1]
    with pytest.raises(DomainError, match="joined to subhalos of another run"):
        mockgal.calibrate([(truth, other)], luminosity_floor=FLOOR)
    with pytest.raises(UsageError, match="which has stars of its own"):
        joined(truth, galaxies)


def test_nothing_is_matched(dark, galaxies):
    truth = joined(dark, galaxies)
    found = match(truth, dark)
    assert found.method == METHOD
    assert np.array_equal(found.hydro_rows, found.dark_rows)
    assert len(found) == np.count_nonzero(galaxies["mstar"])
    with pytest.raises(UsageError, match="for galaxies on the same subhalos"):
        match(truth, dark, method="position")


def test_a_table_without_a_correction(dark, galaxies):
    """Against counts made here, subhalo by subhalo."""
    truth = joined(dark, galaxies)
    table = mockgal.calibrate(
        [(mockgal.Truth(galaxies, BY_ID), dark)],
        luminosity_floor=FLOOR,
        measure_options={"jackknife": 0},
    )
    p, c = table.provenance, table.columns
    assert p["host_mass_ratio"].startswith("no correction for baryons")
    assert table.stellar_mass_definition == "as a table of galaxies states it"
    assert not np.any(np.nan_to_num(c["log_host_mass_ratio"]))
    halos = truth.halos
    central, stars = halos["is_central"], halos["stellar_mass"]
    log_mass = np.log10(halos["host_mass"])
    resolved = halos["mass"] >= 31.5 * dark.snapshot.particle_mass
    rows = table.rows(0)
    assert rows.stop > rows.start
    for r in range(rows.start, rows.stop):
        here = (log_mass >= c["log_mass_low"][r]) & (log_mass < c["log_mass_high"][r])
        here &= central & resolved
        assert c["hosts_hydro"][r] == c["hosts_dark"][r] == here.sum()
        shining = np.sum(stars[here] >= 1e9)
        assert c["number_hydro_mean"][r] == pytest.approx(shining / here.sum())
    mock = mockgal.paint(dark, "hod", seed=1, calibration=table)
    number = np.sum(stars >= 1e9)
    assert len(mock) == pytest.approx(number, abs=4 * np.sqrt(number))


@pytest.mark.real_data
def test_sage_on_its_own_runs():
    """What the README of the data counts; ids alone do not take the galaxies of the other box."""
    if not SAGE.is_dir():
        pytest.skip("no gadget4-sage")
    columns = "halo_id=subhalo, stellar_mass=stellar_mass [Msun/h]"
    runs = [mockgal.read(SAGE / f"box{k}/dark") for k in (1, 2)]
    for k, run in enumerate(runs):
        truth = mockgal.Truth(SAGE / f"box{k + 1}/galaxies.csv", columns).on(run)
        stars = truth.halos["stellar_mass"]
        want = ((1539, 1328, 737), (1309, 1142, 627))[k]
        assert (len(stars), np.sum(stars > 1e8), np.sum(stars > 1e9)) == want
        assert truth.snapshot.record[TRUTH]["orphans"] == 0
        with pytest.raises(HeaderError, match="rank correlation"):
            mockgal.Truth(SAGE / f"box{2 - k}/galaxies.csv", columns).on(run)
        table = Table.read(SAGE / f"box{k + 1}/galaxies.csv", format="ascii.csv", comment="#")
        for shift, word in ((1, "subtracted"), (-1, "added")):
            moved = {"subhalo": table["subhalo"] + shift, "stellar_mass": table["stellar_mass"]}
            with pytest.raises(HeaderError, match=word):
                mockgal.Truth(moved, columns).on(run)
