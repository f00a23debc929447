"""Tables made without a gravity-only twin, and centrals conditioned on their bound mass."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mockgal.calibration.without_twin import Sample, measure_without_twin
from mockgal.cosmology import Cosmology
from mockgal.errors import (
    BadValueError,
    CorruptFileError,
    DomainError,
    MissingDatasetError,
    MockgalWarning,
    UsageError,
)
from mockgal.painters.draw import paint_scene
from mockgal.painters.hod import store as hod_store
from mockgal.painters.hod.columns import TWIN
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.rows import luminous_probability
from mockgal.testing import painter_contract, synthetic_pair
from mockgal.types import HaloCatalog, Scene, Snapshot
from mockgal.writers.bundle import write_bundle

UNCORRECTED = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


def law(log_bound_mass):
    return 10.0 + 0.9 * (log_bound_mass - 12.0)


def universe(hosts=4000, seed=1):
    """Centrals whose stellar mass is a law of their bound mass, in hosts 0.3 dex off at random."""
    rng = np.random.default_rng(seed)
    log_bound = rng.uniform(11.0, 13.0, hosts)
    log_host = log_bound + 0.3 * rng.standard_normal(hosts)
    number = rng.poisson(2.0, hosts)
    host = np.concatenate([np.arange(hosts), np.repeat(np.arange(hosts), number)])
    central = np.arange(len(host)) < hosts
    log_mass = np.where(central, log_bound[host], rng.uniform(9.0, 10.0, len(host)))
    columns = {
        "halo_id": np.arange(len(host)) * 3 + 1,
        "host_id": host * 3 + 1,
        "is_central": central,
        "position": rng.random((len(host), 3)) * 100.0,
        "velocity": np.zeros((len(host), 3)),
        "mass": 10.0**log_mass,
        "vmax": np.full(len(host), 100.0),
        "host_mass": 10.0 ** log_host[host],
    }
    cosmology = Cosmology(0.6774, 0.3089, 0.6911)
    snapshot = Snapshot("made up", 100.0, 0.0, cosmology, 1e7, "synthetic")
    return Scene(snapshot, HaloCatalog(columns, "200c"))


def calibrate(scene, by, *, edges=None):
    halos = scene.halos
    central = halos["is_central"]
    log_own, log_host = np.log10(halos["mass"]), np.log10(halos["host_mass"])
    edges = np.arange(10.0, 14.6, 0.5) if edges is None else edges
    first = Sample(
        log_mass=(log_own if by == "bound" else log_host)[central],
        log_own_mass=log_own[central],
        log_stellar_mass=law(log_own[central]),
        host=np.arange(central.sum()),
        host_log_mass=(log_own if by == "bound" else log_host)[central],
        edges=edges,
    )
    bright = log_own[~central] > 9.5  # and dark below
    second = Sample(
        log_mass=log_host[~central],
        log_own_mass=log_own[~central],
        log_stellar_mass=np.where(bright, 9.0, -np.inf),
        host=halos.host_row[~central],
        host_log_mass=log_host[central],
        edges=[9.5, 12.0, 14.5],
    )
    return measure_without_twin(
        first,
        second,
        name=f"by {by}",
        binned_by={"central": by, "satellite": "host"},
        mass_definition="200c",
        stellar_mass_definition="made up",
        luminosity_floor=1e8,
        least_particles=20,
        particle_mass=1e7,
        probability_edges=np.arange(9.0, 10.01, 0.05),
        residual_probability=[0.0, 0.25, 0.5, 0.75, 1.0],
        domain={"redshift": [-0.1, 0.1], "particle_mass": [5e6, 1.1e7]},
        provenance={"references": ["nobody 2020"]},
    )


@pytest.fixture(scope="module")
def scene():
    return universe()


@pytest.fixture(scope="module")
def table(scene):
    return calibrate(scene, "bound")


def painted_offset(scene, table):
    """log M* of painted centrals minus the law at their bound mass."""
    galaxies = paint_scene(scene, HODPainter(table, missing_twin="uncorrected"), seed=1)
    central = galaxies["is_central"]
    assert central.sum() == scene.halos["is_central"].sum()
    stellar, bound = (galaxies[name][central] for name in ("stellar_mass", "subhalo_mass"))
    return np.log10(stellar) - law(np.log10(bound))


@UNCORRECTED
def test_centrals_follow_the_mass_that_the_table_says(scene, table):
    bound = painted_offset(scene, table)
    assert np.abs(bound).max() < 0.02
    by_host = painted_offset(scene, calibrate(scene, "host"))
    assert np.std(by_host) > 0.2  # 0.9 of 0.3 dex, once from the law and once from the scatter
    moved = {**scene.halos.columns, "host_mass": scene.halos["host_mass"] * 1.3}
    other = replace(scene, halos=replace(scene.halos, columns=moved))
    assert np.abs(painted_offset(other, table)).max() < 0.02


@UNCORRECTED
def test_contract(scene, table):
    painter_contract(HODPainter(table, missing_twin="uncorrected"), scene)


@UNCORRECTED
def test_satellites_follow_their_own_mass_and_the_numbers_of_their_hosts(scene, table):
    prediction = HODPainter(table, missing_twin="uncorrected").predict(scene)
    satellite = ~scene.halos["is_central"]
    log_own = np.log10(scene.halos["mass"])
    assert np.all(prediction.p_luminous[satellite & (log_own > 9.55)] == 1)
    assert np.all(prediction.p_luminous[satellite & (log_own < 9.45)] == 0)
    assert abs(prediction.record["satellites_short"]) < 0.02 * np.sum(satellite & (log_own > 9.5))
    assert prediction.record["centrals_short"] == 0


@UNCORRECTED
def test_masses_below_each_kinds_range_are_counted_apart(scene, table):
    halos = scene.halos
    narrow = calibrate(scene, "bound", edges=np.array([11.5, 12.0, 14.5]))
    prediction = HODPainter(narrow, missing_twin="uncorrected").predict(scene)
    low = halos["is_central"] & (halos["mass"] < 10**11.5)
    assert prediction.record["not_painted_centrals_below_range"] == low.sum() > 0
    assert prediction.record["not_painted_satellites_below_range"] == 0
    assert np.all(prediction.p_luminous[low] == 0)
    assert np.all(prediction.p_luminous[halos["is_central"] & ~low] == 1)
    of_low_hosts = ~halos["is_central"] & low[halos.host_row] & (halos["mass"] > 10**9.55)
    assert np.all(prediction.p_luminous[of_low_hosts] == 1)  # binned by host, in range


@UNCORRECTED
def test_heavy_centrals_are_told_by_their_kind(scene, table):
    short = calibrate(scene, "bound", edges=np.array([10.0, 11.0, 12.0]))
    with pytest.raises(DomainError, match=r"own bound mass .*10\^12\.00 Msun/h"):
        HODPainter(short, missing_twin="uncorrected").predict(scene)


@UNCORRECTED
@pytest.mark.fault(36)
def test_zero_host_mass_matters_only_where_it_is_used(scene, table):
    columns = {**scene.halos.columns, "host_mass": scene.halos["host_mass"].copy()}
    columns["host_mass"][0] = 0.0
    zero = replace(scene, halos=replace(scene.halos, columns=columns))
    assert HODPainter(table, missing_twin="uncorrected").predict(zero).p_luminous[0] == 1
    with pytest.raises(BadValueError):
        HODPainter(calibrate(scene, "host"), missing_twin="uncorrected").predict(zero)


def test_it_is_refused_unless_asked_for(scene, table):
    with pytest.raises(MissingDatasetError, match="--missing-twin uncorrected") as caught:
        HODPainter(table).predict(scene)
    assert caught.value.exit_code == 3
    for column in TWIN:
        assert column in str(caught.value)
    with pytest.raises(MissingDatasetError):
        HODPainter(table, allow_extrapolation=True).predict(scene)
    assert HODPainter(table).describe(scene)["mode"] == "refused"


def test_what_was_left_out_is_told_recorded_and_flagged(scene, table):
    painter = HODPainter(table, missing_twin="uncorrected")
    with pytest.warns(MockgalWarning, match="painted uncorrected") as told:
        galaxies = paint_scene(scene, painter, seed=1)
    assert len([one for one in told if "painted uncorrected" in str(one.message)]) == 1
    assert galaxies["extrapolated"].all()
    described = galaxies.provenance["painter"]
    assert described["mode"] == "uncorrected"
    assert described["calibration_lacks"] == list(TWIN)
    assert described["binned_by"] == {"central": "bound", "satellite": "host"}
    assert described["log_mass_range"]["satellite"] == [9.5, 14.5]
    assert "nobody 2020" in described["references"]


def test_the_option_is_for_tables_without_a_twin():
    twin = hod_store.named("gadget4-z0.00")
    dark = synthetic_pair(50)[1]
    painter = HODPainter(twin, missing_twin="uncorrected", allow_extrapolation=True)
    with pytest.raises(UsageError, match="which has its twin") as caught:
        painter.predict(dark)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", ["yes", True, "corrected", ["uncorrected"]])
def test_the_option_is_checked(value):
    with pytest.raises(UsageError, match="uncorrected"):
        HODPainter(missing_twin=value)


@UNCORRECTED
def test_such_a_table_is_never_chosen_unasked():
    dark = synthetic_pair(300, particle_mass=6e6)[1]
    tng = hod_store.named("tng100-1")
    assert tng.mismatch(dark) == []
    with pytest.raises(DomainError, match=r"tng100-1 .*without a gravity-only twin"):
        HODPainter().predict(dark)
    chosen = HODPainter(missing_twin="uncorrected")
    assert chosen.describe(dark)["calibration"] == "tng100-1"
    assert chosen.predict(dark).p_luminous.sum() > 100
    coarse = synthetic_pair(300, particle_mass=1e9)[1]
    assert HODPainter().describe(coarse)["calibration"] == "gadget4-z0.00"
    with pytest.raises(DomainError, match="made with a twin"):
        HODPainter(missing_twin="uncorrected").describe(coarse)


def test_half_a_twin_is_refused(table):
    gadget = hod_store.named("gadget4-z0.00")
    for name in TWIN:
        columns = {key: values for key, values in gadget.columns.items() if key != name}
        with pytest.raises(CorruptFileError, match=name):
            replace(gadget, columns=columns)


@pytest.mark.parametrize(
    "by",
    [{}, {"central": "host"}, {"central": "vmax", "satellite": "host"},
     {"central": "host", "satellite": "bound"},
     {"central": "host", "satellite": "host", "orphan": "host"}],
)  # fmt: skip
def test_binned_by_has_no_default(table, by):
    with pytest.raises(CorruptFileError, match="binned by"):
        replace(table, binned_by=by)


def test_round_trip_of_the_file(table, tmp_path):
    path = tmp_path / "table.ecsv"
    text = hod_store.to_ecsv(table)
    path.write_text(text, encoding="utf-8")
    again = hod_store.read(path)
    assert again.digest == table.digest
    assert not again.has_twin
    path.write_text(text.replace("binned_by", "sorted_by"), encoding="utf-8")
    with pytest.raises(MissingDatasetError, match="binned_by"):
        hod_store.read(path)
    path.write_text(text.replace("calibration 3", "calibration 1"), encoding="utf-8")
    with pytest.raises(CorruptFileError, match="make the table again"):
        hod_store.read(path)


def test_luminous_probability_is_straight_between_nodes(table):
    columns = dict(table.columns)
    rows, nodes = columns["luminous_log_mass"].shape
    columns["luminous_log_mass"] = np.tile(np.arange(nodes) + 8.0, (rows, 1))
    share = np.random.default_rng(3).random((rows, nodes))
    columns["luminous_probability"] = share
    row = np.array([0, 1, rows - 1, 0, 2])
    p = luminous_probability(
        replace(table, columns=columns), row, np.array([8.0, 8.25, 9.5, 2.0, 99.0])
    )
    assert p == pytest.approx(
        [
            share[0, 0],
            0.75 * share[1, 0] + 0.25 * share[1, 1],
            0.5 * (share[-1, 1] + share[-1, 2]),
            share[0, 0],
            share[2, -1],
        ]
    )


class TestCommand:
    """`mockgal` with the shipped table that has no twin."""

    @pytest.fixture
    def bundle(self, tmp_path):
        path = tmp_path / "dark.hdf5"
        write_bundle(synthetic_pair(300, particle_mass=6e6)[1], path)
        return path

    def test_build(self, mockgal_command, bundle, tmp_path):
        options = ("build", "--sim", bundle, "--painter", "hod", "--calibration", "tng100-1")
        refused = mockgal_command(*options, "--out", "m.hdf5")
        assert refused.returncode == 3
        assert "E303" in refused.stderr
        assert "--missing-twin uncorrected" in refused.stderr
        assert not (tmp_path / "m.hdf5").exists()
        done = mockgal_command(*options, "--missing-twin", "uncorrected", "--out", "m.hdf5")
        assert done.returncode == 0
        assert "painted uncorrected" in done.stderr
        assert "satellites of hosts below the calibration's range" in done.stdout
        wrong = mockgal_command(*options, "--missing-twin", "guess", "--out", "n.hdf5")
        assert wrong.returncode == 2

    def test_recipe(self, mockgal_command, bundle, tmp_path):
        recipe = tmp_path / "recipe.yaml"
        options = {"calibration": "tng100-1", "missing_twin": "uncorrected"}
        values = {"sim": str(bundle), "painter": "hod", "painter_options": options}
        recipe.write_text(json.dumps(values), encoding="utf-8")
        assert mockgal_command("build", "--recipe", recipe, "--out", "m.fits").returncode == 0

    def test_calibrations(self, mockgal_command):
        text = mockgal_command("calibrations").stdout
        tng = text[text.index("tng100-1:") :]
        assert "centrals by the central's own bound mass 10^11.00" in tng
        assert "satellites by mass of the host halo (200c) 10^12.85" in tng
        assert "made without a gravity-only twin" in tng
        for column in TWIN:
            assert column in tng

    def test_inspect(self, mockgal_command, bundle):
        text = mockgal_command("inspect", bundle).stdout
        assert "cannot paint this" in text
        assert "--missing-twin" in text
