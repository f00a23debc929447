"""Comparisons: what is refused, with ways out that work; maps, costs, and what is at rest."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mockgal
from mockgal.errors import MockgalError, UsageError, listening
from mockgal.laws.distribution import cdf
from mockgal.painters.choose import make_painter
from mockgal.recipe import check
from mockgal.tasks.build import build
from mockgal.tasks.comparison.region import maps_of, region_of
from mockgal.tasks.comparison.twins import matched
from mockgal.writers.provenance import sidecar_path, write_sidecar

DEMO = Path(__file__).parents[2] / "catalogs/demo"
CUT = ["stellar_mass > 8e9 Msun/h"]
MASS_FUNCTION = """# stellar mass: log10 Msun
# density: 1/Mpc^3/dex
# h: 0.7
# redshift: 0 to 0.1
# IMF: Chabrier
# source: a test
# columns: stellar_mass density
 8.5  1.9e-2
 9.5  8.8e-3
10.5  4.4e-3
11.5  2.2e-4
"""


@pytest.fixture(scope="module")
def sim():
    return mockgal.read(DEMO / "dark.hdf5")


@pytest.fixture(scope="module")
def hydro():
    return mockgal.read(DEMO / "hydro.hdf5")


@pytest.fixture(scope="module")
def mock(sim):
    with listening(quiet=True):
        return mockgal.paint(sim, "hod", seed=1)


def compare(truth, mocks, **options):
    options = {"statistics": ["mass_function"], "jackknife": 0, **options}
    with listening(quiet=True):
        return mockgal.compare(truth, mocks, **options)


def test_other_samples_are_refused_with_a_cut_that_works(hydro, mock):
    with pytest.raises(UsageError, match="different samples") as error:
        compare(hydro, {"hod": mock})
    cut = error.value.fix.split('--cut "')[1].split('"')[0]
    comparison = compare(hydro, {"hod": mock}, cuts=[cut])
    assert comparison.mocks == ("hod",)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"redshift": 0.5}, "redshifts"), ({"box_size": 32.0}, "boxes")],
)
def test_other_snapshots_are_refused_or_the_differences_stated(hydro, mock, change, message):
    other = replace(mock, snapshot=replace(mock.snapshot, **change))
    with pytest.raises(UsageError, match=message) as error:
        compare(hydro, {"hod": other}, cuts=CUT)
    assert "--allow-differences" in error.value.fix
    allowed = compare(hydro, {"hod": other}, cuts=CUT, allow_differences=True)
    assert any(message in note for note in allowed.notes)


def test_boxes_of_other_sizes_have_the_same_bins_and_no_voxels(hydro, mock):
    larger = replace(mock, snapshot=replace(mock.snapshot, box_size=20.0))
    names = ["power", "pdf", "wp_real"]
    found = compare(
        hydro, {"a": larger}, cuts=CUT, statistics=names, grid_size=32, allow_differences=True
    )
    truth, own = found.measurements["truth"], found.measurements["a"]
    assert own["power"]["k_low"] == pytest.approx(truth["power"]["k_low"])
    assert own["wp_real"]["r_p_low"] == pytest.approx(truth["wp_real"]["r_p_low"])
    assert own["wp_real"].settings["pi_max_mpc_h"] == truth["wp_real"].settings["pi_max_mpc_h"]
    assert "equal voxels" in found.not_measured["pdf"]
    assert "pdf" not in truth


@pytest.mark.parametrize("name", ["truth", "matched", "a/b", "", "-x"])
def test_names_that_files_cannot_bear_are_refused(hydro, mock, name):
    with pytest.raises(UsageError, match="the name"):
        compare(hydro, {name: mock})


def test_a_catalogue_that_lacks_a_column_is_refused(hydro, mock):
    columns = {name: values for name, values in mock.columns.items() if name != "velocity_z"}
    with pytest.raises(UsageError, match="velocity_z"):
        compare(hydro, {"a": replace(mock, columns=columns)})


def test_cuts_that_leave_nothing_are_refused(hydro, mock):
    with pytest.raises(MockgalError, match="no galaxies"):
        compare(hydro, {"a": mock}, cuts=["stellar_mass > 1e14 Msun/h"])


def test_unknown_statistics_are_refused(hydro, mock):
    with pytest.raises(UsageError, match="wp_redshift"):
        compare(hydro, {"a": mock}, statistics=["nothing"])


def test_a_mock_may_be_the_truth_and_equals_itself(mock):
    found = compare(mock, {"a": mock}, statistics=["satellite_fraction"])
    own, truth = (found.measurements[n]["satellite_fraction"] for n in ("a", "truth"))
    assert own["satellite_fraction"].tolist() == truth["satellite_fraction"].tolist()
    assert "matched" not in found.catalogues


def test_at_rest_means_real_space(hydro, mock):
    found = compare(hydro, {"a": mock}, cuts=CUT, statistics=["wp_real", "wp_redshift"])
    real, moved = (found.measurements["a"][f"wp_{space}"] for space in ("real", "redshift"))
    assert (real.settings["space"], moved.settings["space"]) == ("real", "redshift")
    galaxies = found.catalogues["a"]
    place = np.stack([galaxies[f"position_{x}"] for x in "xyz"], axis=1).astype(float)
    apart = place[:, None] - place[None]
    apart = np.abs(apart - 16.0 * np.round(apart / 16.0))[np.triu_indices(len(place), 1)]
    across, along = np.hypot(apart[:, 0], apart[:, 1]), apart[:, 2]
    edges = np.append(real["r_p_low"], real["r_p_high"][-1])
    pairs = np.histogram(across[along < 4.0], edges)[0]
    assert real["pairs"].tolist() == pairs.tolist()
    assert real["pairs"].tolist() != moved["pairs"].tolist()


def test_the_second_truth_has_the_masses_of_the_truth_at_the_places_of_subhalos(hydro, sim, mock):
    found = compare(hydro, {"a": mock}, sim=sim, cuts=CUT)
    second, truth = found.catalogues["matched"], found.truth
    assert set(second["stellar_mass"]) <= set(truth["stellar_mass"])
    assert 100 < len(second) < len(truth)
    places = {tuple(row) for row in sim.halos["position"].astype(second["position_x"].dtype)}
    own = np.stack([second[f"position_{x}"] for x in "xyz"], axis=1)
    assert {tuple(row) for row in own} <= places
    assert not second.completeness.limit  # galaxies without a counterpart are missing
    assert any(f"{len(second):,} of the {len(truth):,} galaxies" in note for note in found.notes)


def test_runs_that_are_no_twins_have_no_second_truth(sim, hydro, mock):
    halos = sim.halos
    moved = {**halos.columns, "position": (halos["position"] + 5.0) % 16.0}
    other = replace(sim, halos=replace(halos, columns=moved))
    found = compare(hydro, {"a": mock}, sim=other, cuts=CUT)
    assert "matched" not in found.catalogues
    assert any("no second truth" in note for note in found.notes)


class TestLaws:
    """The law that a mock was drawn from, predicted again and held against the truth."""

    def compared(self, hydro, mocks, sim, **options):
        return compare(hydro, mocks, sim=sim, cuts=CUT, statistics=["pit"], **options)

    def test_of_files_and_objects_it_is_that_of_the_painter(self, hydro, sim, mock, tmp_path):
        mockgal.write(mockgal.select(mock, "stellar_mass > 3e9 Msun/h"), tmp_path / "a.fits")
        found = self.compared(hydro, {"a": tmp_path / "a.fits", "b": mock}, sim)
        assert not found.without_law
        one, two = (found.measurements[name]["pit"] for name in "ab")
        assert one["density"].tolist() == two["density"].tolist()
        assert one["subhalos"].sum() + one.settings["subhalos_without_a_law"] == len(sim.halos)
        with listening(quiet=True):
            law = make_painter("hod", {}).predict(sim)
        twins, _ = matched(hydro, sim)
        assert twins.dark.halos["halo_id"].tolist() == sim.halos["halo_id"].tolist()
        rows = np.flatnonzero((law.p_luminous > 0) & (twins.stellar_mass >= 10.0**law.floor))
        value = cdf(law.take(rows), np.log10(twins.stellar_mass[rows]))
        assert one["luminous"].tolist() == np.histogram(value, 20, (0, 1))[0].tolist()
        verdicts = [v for v in found.verdicts if v.catalogue == "a"]
        assert [v.reach for v in verdicts] == ["all subhalos", "luminous subhalos"]

    @pytest.mark.parametrize(
        ("case", "because"),
        [
            ("no simulation", "--sim"),
            ("another seed", "are other ones"),
            ("a lost calibration", "could not predict again"),
            ("no draw", "without a draw"),
            ("by rank alone", "without scatter"),
            ("of other halos", "not painted on the halos"),
            ("a mock as truth", "not matched"),
        ],
    )
    def test_otherwise_the_page_says_why_not(self, hydro, sim, mock, case, because):
        painter = mock.provenance["painter"]
        truth, scene, own = hydro, sim, mock
        if case == "no simulation":
            scene = None
        elif case == "another seed":
            own = mock.with_provenance(seed=2)
        elif case == "a lost calibration":
            own = mock.with_provenance(painter={**painter, "calibration": "lost.ecsv"})
        elif case == "no draw":
            own = mock.with_provenance(painter={**painter, "deterministic": True})
        elif case == "by rank alone":
            with listening(quiet=True):
                own = mockgal.paint(sim, "hod", seed=1, rank_by="vmax", rank_correlation=1.0)
        elif case == "of other halos":
            simulation = {**mock.provenance["simulation"], "halo_digest": "0"}
            own = mock.with_provenance(simulation=simulation)
        else:
            truth = mock
        found = self.compared(truth, {"a": own}, scene)
        assert because in found.without_law["a"]
        (verdict,) = found.verdicts
        assert (verdict.verdict, verdict.note) == ("not measured", found.without_law["a"])

    def test_files_of_the_painter_are_found_or_asked_for(self, hydro, tmp_path, monkeypatch):
        """Where they were, beside the mock, or in the working directory; else the page says so."""
        monkeypatch.chdir(tmp_path)
        folder, table = tmp_path / "folder", tmp_path / "folder" / "mine.txt"
        folder.mkdir()
        table.write_text(MASS_FUNCTION)
        options = {"proxy": "vmax", "mass_function": "folder/mine.txt", "scatter": "0.2 dex"}
        options["allow_extrapolation"] = True
        with listening(quiet=True):
            sim = mockgal.read(DEMO / "dark.hdf5", drop_bad=True)
            recipe = {"sim": str(DEMO / "dark.hdf5"), "painter": "sham", "seed": 1}
            how = {"painter_options": options, "drop_bad": True, "out": "a.fits", "units": "h"}
            build(check({**recipe, **how}, "a recipe"))

            def without_law():
                found = compare(
                    hydro, {"a": "a.fits"}, sim=sim, cuts=("stellar_mass > 5e10 Msun/h",),
                    statistics=["pit"],
                )  # fmt: skip
                return found.without_law.get("a")

            assert without_law() is None
            table.rename(tmp_path / "mine.txt")
            assert without_law() is None
            (tmp_path / "mine.txt").rename(folder / "other.txt")
            lost = without_law()
            assert f"without mass_function {table}: it is no longer there" in lost
            assert "put the file back" in lost
            table.write_text(MASS_FUNCTION.replace("1.9e-2", "1.8e-2"))
            changed = without_law()
            assert f"with mass_function {table}: this is not the file that it was" in changed

    def test_they_are_left_out_where_other_statistics_are_asked_for(self, hydro, sim, mock):
        found = compare(hydro, {"a": mock}, sim=sim, cuts=CUT)
        assert not found.without_law
        assert "pit" not in found.measurements["a"]


@pytest.fixture(scope="module")
def found(hydro, sim, mock):
    names = ["vmax-hod", "abundance-matching", "features-only"]
    statistics = ["mass_function", "pit"]
    return compare(
        hydro, {"a": mock}, sim=sim, cuts=CUT, statistics=statistics, baselines=names, seed=1
    )


class TestBaselines:
    """Painters that are made for a comparison, on request."""

    def test_abundance_matching_has_the_masses_of_the_truth_in_the_order_of_vmax(self, found):
        own, truth = found.catalogues["abundance-matching"], found.truth
        masses = [np.sort(one["stellar_mass"].astype(float)) for one in (own, truth)]
        assert masses[0] == pytest.approx(masses[1], rel=1e-6)
        order = np.argsort(own["vmax"])
        assert np.all(np.diff(own["stellar_mass"][order]) >= 0)
        assert any("no test" in note for note in found.notes)
        assert "one stellar mass for each rank" in found.without_law["abundance-matching"]

    def test_the_ranked_hod_is_what_build_paints(self, found, sim):
        with listening(quiet=True):
            own = mockgal.paint(sim, "hod", seed=1, rank_by="vmax", rank_correlation=1.0)
        assert found.catalogues["vmax-hod"].digest() == mockgal.select(own, *CUT).digest()

    def test_the_network_predicts_what_it_has_not_seen(self, found, sim):
        pit = found.measurements["features-only"]["pit"]
        test = pit.settings["kolmogorov_smirnov"]["all"]
        assert test["p_value"] > 0.01  # calibrated, out of sample
        own, second = found.catalogues["features-only"], found.catalogues["matched"]
        shared, one, two = np.intersect1d(
            own["galaxy_id"], second["galaxy_id"], return_indices=True
        )
        assert len(shared) > 120
        logs = [np.log10(own["stellar_mass"][one]), np.log10(second["stellar_mass"][two])]
        assert np.corrcoef(logs)[0, 1] > 0.6
        assert any("no galaxy is predicted by a network" in note for note in found.notes)

    def test_their_costs_and_names_are_on_the_page(self, found):
        assert found.mocks == ("a", "vmax-hod", "abundance-matching", "features-only")
        for name in found.mocks[1:]:
            assert found.costs[name].cpu_seconds >= 0
            assert found.sources[name] == "painted within this comparison"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"baselines": ["sham"]}, "abundance-matching"),
            ({"baselines": ["vmax-hod"], "seed": None}, "seed=1"),
            ({"baselines": ["vmax-hod"], "sim": None}, "--sim"),
            ({"mocks": {"vmax-hod": "a.fits"}, "baselines": ["vmax-hod"]}, "rename"),
            ({"baseline_calibration": "gadget4-z0.00"}, "leave it out"),
            ({"mocks": {}}, "no mocks"),
        ],
    )
    def test_what_cannot_be_painted_is_refused(self, hydro, sim, mock, options, message):
        options = {"sim": sim, "seed": 1, "mocks": {"a": mock}, "cuts": CUT, **options}
        with pytest.raises(UsageError, match=message):
            compare(hydro, options.pop("mocks"), **options)

    def test_what_the_simulation_lacks_is_said(self, hydro, sim, mock):
        columns = {name: values for name, values in sim.halos.columns.items() if name != "vmax"}
        bare = replace(sim, halos=replace(sim.halos, columns=columns))
        for name in ("abundance-matching", "features-only"):
            with pytest.raises(MockgalError, match="no vmax"):
                compare(hydro, {"a": mock}, sim=bare, cuts=CUT, baselines=[name], seed=1)
        with pytest.raises(MockgalError, match="matched"):
            compare(mock, {"a": mock}, sim=sim, cuts=CUT, baselines=["features-only"], seed=1)


def test_costs_come_from_the_record_of_the_same_content(tmp_path, mock, hydro):
    path = tmp_path / "a.fits"
    mockgal.write(mock, path)
    facts = {"seconds": 12.5, "peak_memory_bytes": 3e8, "content_digest": mock.digest()}
    cases = [
        (facts, (12.5, None, 3e8), ""),
        ({**facts, "cpu_seconds": 9.0, "seconds": True}, (None, 9.0, 3e8), ""),
        ({**facts, "content_digest": "0"}, (None, None, None), "another mock"),
    ]
    for record, expected, because in cases:
        write_sidecar(path, record, overwrite=True)
        cost = compare(hydro, {"a": path}, cuts=CUT).costs["a"]
        assert cost[:3] == expected
        assert because in cost.because
    sidecar_path(path).write_text("[1, 2")
    assert "cannot be read" in compare(hydro, {"a": path}, cuts=CUT).costs["a"].because
    assert "do not state it" in compare(hydro, {"a": path}, cuts=CUT).costs["truth"].because


def test_regions(sim, mock):
    snapshot = sim.snapshot
    found = region_of("1 2, 3 500 kpc/h", snapshot, sim.halos, mock)
    assert found.centre == (0.001, 0.002, 0.003)
    assert found.side == 0.5
    host = int(np.argmax(sim.halos["host_mass"] * sim.halos["is_central"]))
    default = region_of(None, snapshot, sim.halos, mock)
    assert default.centre == pytest.approx(sim.halos["position"][host])
    assert (default.side, default.voxels) == (2.4, 65)
    for text in ("1 2 3", "1 2 3 4", "1 2 3 20 Mpc/h", "-1 2 3 4 Mpc/h", "1 2 3 0 Mpc/h"):
        with pytest.raises(UsageError):
            region_of(text, snapshot, sim.halos, mock)


def test_maps_reach_across_the_edge_of_the_box_and_conserve_mass(sim, mock):
    first = int(np.argmin(mock["position_x"]))
    y, z = mock["position_y"][first], mock["position_z"][first]
    region = region_of(f"0.01 {y:.4f} {z:.4f} 2 Mpc/h", sim.snapshot, sim.halos, mock)
    found = maps_of(region, sim, sim.halos, {"a": mock})
    chunks = list(sim.particles.chunks())
    place = np.concatenate([chunk.position for chunk in chunks]).astype(float)
    mass = np.concatenate([chunk.mass for chunk in chunks]).astype(float)
    apart = place - np.array(region.centre)
    apart -= 16.0 * np.round(apart / 16.0)
    inside = np.all(np.abs(apart) <= 1.0, axis=1)
    density = mass[inside].sum() / 2.0**3
    mean = sim.snapshot.cosmology.matter_mass(16.0) / 16.0**3
    # Clouds of a voxel reach across the faces of the region.
    assert found.matter.mean() == pytest.approx(density / mean, rel=0.05)
    galaxies = np.stack([mock[f"position_{x}"] for x in "xyz"], axis=1).astype(float)
    apart = galaxies - np.array(region.centre)
    apart -= 16.0 * np.round(apart / 16.0)
    inside = np.all(np.abs(apart) <= 1.0, axis=1)
    assert len(found.galaxies["a"].mass) == inside.sum() > 0
    assert sorted(found.galaxies["a"].x) == pytest.approx(sorted(apart[inside, 0]))


def test_maps_of_a_density_grid_are_those_of_its_particles(sim, mock, tmp_path):
    mockgal.field(DEMO / "dark.hdf5", tmp_path / "field.hdf5", grid_size=32, subhalos=False)
    gridded = mockgal.read(DEMO / "dark.hdf5", matter=tmp_path / "field.hdf5")
    region = region_of("8 8 8 8 Mpc/h", sim.snapshot, sim.halos, mock)
    own, other = (maps_of(region, one, None, {"a": mock}).matter for one in (sim, gridded))
    assert other.mean() == pytest.approx(own.mean(), rel=0.05)
    smooth = own[:64, :64].reshape(16, 4, 16, 4).mean(axis=(1, 3))
    coarse = other[:64, :64].reshape(16, 4, 16, 4).mean(axis=(1, 3))
    assert np.corrcoef(np.log(smooth).ravel(), np.log(coarse).ravel())[0, 1] > 0.9


def test_the_command_reports_the_same_as_json(mockgal_command, tmp_path, mock):
    mockgal.write(mock, tmp_path / "a.fits")
    arguments = [
        *("compare", "--truth", DEMO / "hydro.hdf5", "--mock", "hod=a.fits", "--json"),
        *("--statistic", "mass_function", "--cut", CUT[0], "--out", "report"),
    ]
    result = mockgal_command(*arguments)
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["verdicts"][0]["verdict"] == "no power"
    assert facts["costs"]["hod"]["wall_seconds"] is None
    assert facts["wrote"][0] == "report/index.html"
    assert all((tmp_path / path).is_file() for path in facts["wrote"])
    again = mockgal_command(*arguments)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    nameless = mockgal_command("compare", "--truth", "x", "--mock", "a.fits", "--out", "other")
    assert nameless.returncode == 2
    assert "--mock cnn=" in nameless.stderr
