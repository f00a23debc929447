"""Mocks of several seeds: made together, kept, damaged, stopped; and measured together."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.table import Table

import mockgal
from mockgal.errors import UsageError
from mockgal.random import MOST_SEEDS, seeds_of
from mockgal.recipe import check
from mockgal.statistics.ensemble import factors
from mockgal.tasks.ensembles.manifest import manifest_path, read_manifest
from mockgal.tasks.ensembles.measurements import samples_of
from mockgal.writers.bundle import write_bundle

CALIBRATION = Path(mockgal.__file__).parent / "painters/hod/calibrations/gadget4-z0.00.ecsv"


@pytest.fixture
def build(mockgal_command, demo_bundle, tmp_path):
    """Run ``mockgal build`` on the demo, with JSON on its output."""

    def run(*more, out="mock-{seed}.fits", **keywords):
        return mockgal_command(
            *("build", "--sim", demo_bundle, "--painter", "hod", "--out", out, "--json"),
            *more,
            **keywords,
        )

    return run


def facts(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", (3,)), ("1-4", (1, 2, 3, 4)), ("9, 1 - 2", (9, 1, 2)), ("7-7", (7,)), (5, (5,))],
)
def test_seeds(text, seeds):
    assert seeds_of(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "1-", "-3", "4-1", "1,1", "1-3,2", "x", "1.5", f"0-{MOST_SEEDS}", "9" * 19, True]
)
def test_what_are_no_seeds(text):
    with pytest.raises(UsageError, match="seed"):
        seeds_of(text)


def test_each_mock_is_the_one_that_is_built_alone(build, tmp_path):
    found = facts(build("--seed", "3-5,1", "--cut", "stellar_mass > 1e10 Msun/h"))
    assert [one["seed"] for one in found["mocks"]] == [1, 3, 4, 5]
    assert (found["made"], found["kept"]) == (4, 0)
    for seed in (3, 1):
        alone = build("--seed", seed, "--cut", "stellar_mass > 1e10 Msun/h", out=f"a{seed}.fits")
        digest = facts(alone)["content_digest"]
        listed = next(one for one in found["mocks"] if one["seed"] == seed)
        assert listed["content_digest"] == digest
        # To the byte: provenance, warnings and checksums are alike as well.
        together, single = (tmp_path / name for name in (f"mock-{seed}.fits", f"a{seed}.fits"))
        assert together.read_bytes() == single.read_bytes()


def test_satellites_and_surveys_of_each_seed(mockgal_command, demo_bundle, tmp_path):
    sim = mockgal.read(demo_bundle)
    hosts = sim.halos.take(np.flatnonzero(sim.halos["is_central"]))
    write_bundle(mockgal.types.Scene(sim.snapshot, hosts), tmp_path / "hosts.hdf5")
    (tmp_path / "r.yaml").write_text(
        "sim: hosts.hdf5\npainter: hod\npopulate: true\nseed: 1-2\nout: m-{seed}.fits\n"
        "survey:\n  light_cone: {redshifts: [0.001, 0.002]}\n"
        "  n_of_z: {redshifts: [0.001, 0.002], density: [1e-3 h^3/Mpc^3], by: random}\n"
        "  randoms: {times: 5}\n"
    )
    text = (tmp_path / "r.yaml").read_text()
    found = facts(mockgal_command("build", "--recipe", "r.yaml", "--json"))
    (tmp_path / "one.yaml").write_text(text.replace("1-2", "2").replace("{seed}", "alone"))
    alone = facts(mockgal_command("build", "--recipe", "one.yaml", "--json"))
    assert found["mocks"][1]["content_digest"] == alone["content_digest"]
    again = facts(mockgal_command("build", "--recipe", "r.yaml", "--json"))
    assert (again["made"], again["kept"]) == (0, 2)
    manifest = read_manifest(tmp_path / "m-manifest.ecsv")
    assert all(one.randoms.exists() for one in manifest.members)
    manifest.members[0].randoms.unlink()
    again = facts(mockgal_command("build", "--recipe", "r.yaml", "--json"))
    assert (again["made"], again["kept"]) == (1, 1)


def test_satellites_drawn_for_each_seed_are_no_cosmic_variance(demo_bundle, tmp_path):
    sim = mockgal.read(demo_bundle)
    hosts = sim.halos.take(np.flatnonzero(sim.halos["is_central"]))
    hosts = mockgal.types.Scene(sim.snapshot, hosts)
    with mockgal.errors.listening(quiet=True):
        mocks = [mockgal.paint(mockgal.populate(hosts, seed=k), "hod", seed=k) for k in (1, 2)]
        found = mockgal.combine([mockgal.measure(one, "satellite_fraction") for one in mocks])
    drawn = [one.provenance["simulation"]["reading"]["populate"]["satellites"] for one in mocks]
    assert drawn[0] != drawn[1]
    assert "no cosmic variance" in found.settings["errors"]


def test_mocks_that_are_there_are_kept(build, tmp_path):
    first = facts(build("--seed", "1-3"))
    times = {p: os.stat(tmp_path / p).st_mtime_ns for p in ("mock-1.fits", "mock-3.fits")}
    manifest = read_manifest(tmp_path / "mock-manifest.ecsv")
    replace(manifest, members=()).save()  # as if killed before the first mock was listed
    again = facts(build("--seed", "1-4"))
    assert (again["made"], again["kept"]) == (1, 3)
    assert again["mocks"][:3] == first["mocks"]
    assert times == {p: os.stat(tmp_path / p).st_mtime_ns for p in times}
    # Further seeds are listed beside the earlier ones.
    more = facts(build("--seed", "8-9"))
    assert [one["seed"] for one in more["mocks"]] == [8, 9]
    rows = Table.read(tmp_path / "mock-manifest.ecsv", format="ascii.ecsv")
    assert rows["seed"].tolist() == [1, 2, 3, 4, 8, 9]
    numbers = [one["galaxies"] for one in (*again["mocks"], *more["mocks"])]
    assert rows["galaxies"].tolist() == numbers


@pytest.mark.parametrize("changed", ["calibration", "table", "particles"])
def test_mocks_of_changed_files_are_made_again(changed, mockgal_command, demo_bundle, tmp_path):
    shutil.copy(demo_bundle, tmp_path / "dark.hdf5")
    (tmp_path / "n.txt").write_text("# z_lo z_hi n [h^3/Mpc^3]\n0.001 0.002 1e-3\n")
    shutil.copy(CALIBRATION, tmp_path / "law.ecsv")
    (tmp_path / "r.yaml").write_text(
        "sim: dark.hdf5\npainter: hod\nseed: 1-2\nout: m-{seed}.fits\n"
        "painter_options: {calibration: ./law.ecsv, allow_extrapolation: true}\n"
        "survey:\n  light_cone: {redshifts: [0.001, 0.002]}\n"
        "  n_of_z: {table: n.txt, unit: h^3/Mpc^3, by: random}\n"
    )
    assert facts(mockgal_command("build", "--recipe", "r.yaml", "--json"))["made"] == 2
    assert facts(mockgal_command("build", "--recipe", "r.yaml", "--json"))["kept"] == 2
    if changed == "table":
        (tmp_path / "n.txt").write_text("# z_lo z_hi n [h^3/Mpc^3]\n0.001 0.002 2e-3\n")
    elif changed == "calibration":
        shutil.copy(CALIBRATION.with_name("gadget4-z0.50.ecsv"), tmp_path / "law.ecsv")
    else:  # which this painter does not see, and another would
        with h5py.File(tmp_path / "dark.hdf5", "a") as file:
            file.attrs["note"] = "changed"
    result = mockgal_command("build", "--recipe", "r.yaml", "--seed", "2", "--json")
    assert (facts(result)["made"], facts(result)["kept"]) == (1, 0)
    assert "changed since the 2 mocks" in result.stderr
    assert [one.seed for one in read_manifest(tmp_path / "m-manifest.ecsv").members] == [2]


@pytest.fixture
def surveyed(mockgal_command, demo_bundle, tmp_path):
    """Build an ensemble of a survey whose n(z) is in a table."""
    (tmp_path / "r.yaml").write_text(
        f"sim: {demo_bundle}\npainter: hod\nout: m-{{seed}}.fits\n"
        "survey:\n  light_cone: {redshifts: [0.001, 0.002]}\n"
        "  n_of_z: {table: n.txt, unit: h^3/Mpc^3, by: random}\n  randoms: {times: 5}\n"
    )

    def run(density, *more):
        text = f"# z_lo z_hi n [h^3/Mpc^3]\n0.001 0.002 {density}\n"
        (tmp_path / "n.txt").write_text(text)
        return mockgal_command("build", "--recipe", "r.yaml", "--json", *more)

    return run


def test_no_mock_of_other_inputs_is_ever_kept(surveyed, tmp_path):
    """Whatever ran in between: fewer seeds, a failure, other units."""
    assert facts(surveyed(2e-3, "--seed", "1-3"))["made"] == 3
    assert facts(surveyed(1e-3, "--seed", "1"))["made"] == 1
    found = facts(surveyed(1e-3, "--seed", "1-3"))
    assert (found["made"], found["kept"]) == (2, 1)
    assert surveyed(9.0, "--seed", "1-3").returncode == 3  # more galaxies than there are
    assert facts(surveyed(1e-3, "--seed", "1-3"))["kept"] == 3  # they are those of this table
    assert facts(surveyed(1e-3, "--seed", "1-2", "--units", "h", "--overwrite"))["made"] == 2
    found = facts(surveyed(1e-3, "--seed", "1-3", "--units", "h"))
    assert (found["made"], found["kept"]) == (1, 2)


def test_damaged_randoms_are_made_again(surveyed, tmp_path):
    facts(surveyed(1e-3, "--seed", "1-2"))
    path = tmp_path / "m-2-randoms.fits"
    sound = path.read_bytes()
    path.write_bytes(sound[:5000])
    assert facts(surveyed(1e-3, "--seed", "1-2"))["made"] == 1
    assert path.read_bytes() == sound


def test_a_pattern_takes_each_mock_with_its_randoms(surveyed, tmp_path):
    facts(surveyed(1e-3, "--seed", "1-2"))
    names = {one.path.name: one.randoms.name for one in samples_of([str(tmp_path / "m-*")])}
    assert names == {f"m-{seed}.fits": f"m-{seed}-randoms.fits" for seed in (1, 2)}


def test_a_mock_built_alone_is_replaced_by_itself(build, tmp_path):
    alone = facts(build("--seed", 2, out="mock-2.fits"))
    result = build("--seed", "1-2")
    assert facts(result)["made"] == 2
    assert facts(result)["mocks"][1]["content_digest"] == alone["content_digest"]
    assert "built alone" in result.stderr


def test_names_with_points_have_manifests_of_their_own(build, tmp_path):
    facts(build("--seed", "1-2", out="z0.5-{seed}.fits"))
    facts(build("--seed", "1-2", out="z0.7-{seed}.fits"))
    assert (tmp_path / "z0.5-manifest.ecsv").exists()
    assert (tmp_path / "z0.7-manifest.ecsv").exists()
    result = build("--seed", "1-2", out="z0.5-{seed}.hdf5")
    assert result.returncode == 2
    assert "name" in result.stderr


def test_paths_that_are_no_text(build):
    result = build("--seed", "1-2", out="m\udcff-{seed}.fits")
    assert result.returncode == 2
    assert "UTF-8" in result.stderr
    missing = build("--seed", "1-2", out="nowhere/m-{seed}.fits")
    assert "nowhere" in missing.stderr
    assert "lock" not in missing.stderr


def test_a_damaged_mock_is_made_again(build, tmp_path):
    first = facts(build("--seed", "1-3"))
    path = tmp_path / "mock-2.fits"
    sound = path.read_bytes()
    path.write_bytes(sound[: len(sound) // 2])
    result = build("--seed", "1-3")
    assert facts(result)["mocks"] == first["mocks"]
    assert (facts(result)["made"], path.read_bytes()) == (1, sound)
    assert "mock-2.fits is made again" in result.stderr


def test_another_ensemble_never_mixes(build, tmp_path):
    facts(build("--seed", "1-2"))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    result = build("--seed", "1-3", "--cut", "stellar_mass > 1e10 Msun/h")
    assert result.returncode == 2, result.stderr
    assert "cut" in result.stderr
    assert "--overwrite" in result.stderr
    assert before == {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    found = facts(build("--seed", "1-2", "--cut", "stellar_mass > 1e10 Msun/h", "--overwrite"))
    assert found["made"] == 2


def test_a_file_of_someone_else_is_left(build, tmp_path):
    (tmp_path / "mock-2.fits").write_text("my notes")
    result = build("--seed", "1-3")
    assert result.returncode != 0
    assert (tmp_path / "mock-2.fits").read_text() == "my notes"
    assert [one.seed for one in read_manifest(tmp_path / "mock-manifest.ecsv").members] == [1]


def test_several_seeds_need_a_place_for_the_seed(build):
    result = build("--seed", "1-3", out="mock.fits")
    assert result.returncode == 2
    assert "mock-{seed}.fits" in result.stderr


@pytest.mark.parametrize("out", ["mock-{seed}.fits", "{seed}/mock.fits", "{seed}.parquet"])
def test_the_manifest_has_a_name_without_seed(out, tmp_path):
    path = manifest_path(tmp_path / out)
    assert "{seed}" not in str(path)
    assert path.parent == tmp_path
    assert path.suffix == ".ecsv"


@pytest.mark.slow_but("2")
@pytest.mark.parametrize("moment", [1, 2, 3, 4, 5])
def test_a_killed_build_goes_on(moment, demo_bundle, tmp_path):
    command = [
        *(sys.executable, "-m", "mockgal", "build", "--sim", str(demo_bundle)),
        *("--painter", "hod", "--seed", "1-16", "--out", "mock-{seed}.fits"),
    ]
    run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while len(list(tmp_path.glob("mock-*.fits"))) < 3 * moment and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    there = len(list(tmp_path.glob("mock-*.fits")))
    again = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, text=True)
    found = json.loads(again.stdout)
    assert found["kept"] >= there - 1
    assert found["kept"] + found["made"] == 16
    assert not list(tmp_path.glob(".*.part*"))


# Measuring


@pytest.fixture(scope="module")
def mocks(demo_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    recipe = {"sim": str(demo_bundle), "painter": "hod", "out": str(folder / "mock-{seed}.fits")}
    with mockgal.errors.listening(quiet=True):
        mockgal.build_ensemble(check(recipe, "a test"), range(2, 12))
    return folder


def measured(folder, statistic, *, name="mock-manifest.ecsv", **options):
    with mockgal.errors.listening(quiet=True):
        return [
            mockgal.measure(mockgal.read_galaxies(sample.path), statistic, **options)
            for sample in samples_of([str(folder / name)])
        ]


def test_covariance_by_brute_force(mockgal_command, mocks, tmp_path):
    result = mockgal_command(
        *("measure", mocks / "mock-*.fits", "--statistic", "xi_multipoles,mass_function"),
        *("--out", "out", "--bins", 3, "--jackknife", 2, "--json"),
    )
    assert result.returncode == 0, result.stderr
    found = measured(mocks, "xi_multipoles", bins=3, jackknife=2)
    assert len(found) == 10
    names = ("xi_0", "xi_2", "xi_4")
    vectors = np.array([np.concatenate([one[name] for name in names]) for one in found])
    covariance = mockgal.read_covariance(tmp_path / "out/xi_multipoles-covariance.ecsv")
    np.testing.assert_allclose(covariance.matrix, np.cov(vectors, rowvar=False), rtol=1e-9)
    np.testing.assert_allclose(covariance.mean, vectors.mean(axis=0), rtol=1e-12)
    assert covariance.number == 10
    left_out = [np.hstack([one.left_out[name] for name in names]) for one in found]
    jackknife = [7 * np.cov(one, rowvar=False, ddof=0) for one in left_out]
    np.testing.assert_allclose(covariance.beside, np.mean(jackknife, axis=0), rtol=1e-9)
    combined = mockgal.read_measurement(tmp_path / "out/xi_multipoles.ecsv")
    np.testing.assert_allclose(combined["xi_2_error"], vectors[:, 3:6].std(axis=0, ddof=1))
    np.testing.assert_allclose(combined["xi_2_error_of_the_mean"] * 10**0.5, combined["xi_2_error"])
    np.testing.assert_array_equal(combined.realisations["xi_0"], vectors[:, :3])
    assert combined.error_degrees_of_freedom == 9
    assert "no cosmic variance" in combined.settings["errors"]
    assert combined.settings["mocks"]["seed"] == list(range(2, 12))
    for name in ("xi_multipoles", "mass_function"):
        for end in (".ecsv", ".png", "-covariance.ecsv", "-covariance.png"):
            assert (tmp_path / f"out/{name}{end}").stat().st_size > 1000
    # Each mock's own table keeps its vectors.
    own = mockgal.read_measurement(tmp_path / "out/mocks/mock-2/xi_multipoles.ecsv")
    np.testing.assert_array_equal(own.left_out["xi_0"], found[0].left_out["xi_0"])


def test_measuring_goes_on(mockgal_command, mocks, demo_bundle, tmp_path):
    def measure(*more):
        return mockgal_command(
            *(
                "measure",
                *(mocks / f"mock-{seed}.fits" for seed in (2, 3, 4)),
                "--sim",
                demo_bundle,
            ),
            *("--statistic", "xi,occupation", "--out", "out", "--no-plots", "--jackknife", 2),
            *("--json", *more),
        )

    assert facts(measure("--bins", 3))["kept"] == 0
    out = tmp_path / "out"
    tables = {name: (out / name).read_text() for name in ("xi.ecsv", "occupation.ecsv")}
    for path in (*out.glob("*.ecsv"), out / "mocks/mock-4/xi.ecsv"):
        path.unlink()
    (out / "mocks/mock-3/xi.ecsv").write_text("half a tab")
    result = measure("--bins", 3)
    assert result.returncode == 2  # what is there is no table of this mock
    assert "mock-3/xi.ecsv" in result.stderr
    assert facts(measure("--bins", 3, "--overwrite"))["kept"] == 4
    for name, text in tables.items():
        assert (out / name).read_text() == text
    assert facts(measure("--bins", 4, "--overwrite"))["kept"] == 3  # occupation has no such option


def test_factors_of_few_mocks():
    assert factors(100, 18).hartlap == pytest.approx(80 / 99)
    assert np.isnan(factors(20, 18).hartlap)
    # Percival et al. 2014, below equation 18: for 600 mocks, 18 bins.
    below = (600 - 18 - 1) * (600 - 18 - 4)
    assert factors(600, 18)[1:] == (2 / below, 580 / below)


def test_inverse_of_a_known_covariance():
    """The inverse with its factor is unbiased: over many sets of mocks its mean is the true one."""
    from mockgal.statistics.result import Field, Measurement

    random = np.random.default_rng(1)
    true = np.array([[2.0, 0.6], [0.6, 1.0]])
    x = np.arange(2.0)
    fields = {name: Field("", name) for name in ("x", "y", "y_error", "n")}

    def one(y):
        columns = {"x": x, "y": y, "y_error": np.ones(2), "n": np.ones(2, int)}
        return Measurement("mine", columns, fields, "x", ("y",), "n", {})

    inverses = []
    for _ in range(400):
        draws = random.multivariate_normal([5.0, 7.0], true, size=8)
        inverses.append(mockgal.combine([one(y) for y in draws]).covariance().inverse())
    error = np.std(inverses, axis=0) / 400**0.5
    assert np.all(np.abs(np.mean(inverses, axis=0) - np.linalg.inv(true)) < 4 * error)


def test_no_inverse_from_too_few(mocks):
    covariance = mockgal.combine(measured(mocks, "wp", bins=12)).covariance()
    with pytest.raises(UsageError, match="at least 15"):
        covariance.inverse()
    assert covariance.take(np.arange(4)).inverse().shape == (4, 4)
    np.testing.assert_allclose(np.diag(covariance.correlation), 1.0)


def test_only_results_of_one_kind_are_combined(mocks):
    one, two, *_ = measured(mocks, "mass_function", bin_width="0.5 dex")
    with pytest.raises(UsageError, match="two mocks"):
        mockgal.combine([one])
    other = measured(mocks, "mass_function", bin_width="0.25 dex")[2]
    with pytest.raises(UsageError, match="bin_width_dex"):
        mockgal.combine([one, other])
    with pytest.raises(UsageError, match="statistic"):
        mockgal.combine([one, *measured(mocks, "satellite_fraction")])
    with pytest.raises(UsageError, match="several mocks"):
        mockgal.combine([one, mockgal.combine([one, two])])
    with pytest.raises(UsageError, match="estimate"):
        one.covariance("nothing")
    with pytest.raises(UsageError, match="same galaxies twice"):
        mockgal.combine([one, one])


def test_mocks_of_another_recipe_are_not_combined(mocks, demo_bundle, tmp_path):
    options = {"rank_by": "vmax", "rank_correlation": 1.0}
    recipe = {"sim": str(demo_bundle), "painter": "hod", "out": str(tmp_path / "o-{seed}.fits")}
    with mockgal.errors.listening(quiet=True):
        mockgal.build_ensemble(check({**recipe, "painter_options": options}, "a test"), "1-2")
    other = measured(tmp_path, "mass_function", name="o-manifest.ecsv")[0]
    with pytest.raises(UsageError, match="recipe_digest"):
        mockgal.combine([measured(mocks, "mass_function")[0], other])


def test_one_mock_is_no_ensemble(mockgal_command, build, tmp_path):
    facts(build("--seed", "7"))
    result = mockgal_command(
        *("measure", "mock-manifest.ecsv", "--statistic", "wp", "--out", "out")
    )
    assert result.returncode == 2
    assert "two at least" in result.stderr
    assert not (tmp_path / "out").exists()


def test_bins_that_some_mocks_lack_are_left_out_and_told(mocks):
    found = measured(mocks, "mass_function", bin_width="0.1 dex")
    with pytest.warns(mockgal.errors.MockgalWarning, match="which only some mocks have"):
        combined = mockgal.combine(found)
    assert len(combined) < max(map(len, found))
    lows = [set(np.round(one["stellar_mass_low"], 3)) for one in found]
    assert set(np.round(combined["stellar_mass_low"], 3)) == set.intersection(*lows)


def test_patterns_and_manifests_name_the_same_mocks(mocks, tmp_path):
    listed = [sample.path.name for sample in samples_of([str(mocks / "mock-manifest.ecsv")])]
    found = [sample.path.name for sample in samples_of([str(mocks / "mock-*.fits")])]
    assert found == listed == [f"mock-{seed}.fits" for seed in range(2, 12)]  # 10 after 9
    with pytest.raises(mockgal.errors.InputError, match="no such mock"):
        samples_of([str(tmp_path / "nothing-*.fits")])
    with pytest.raises(UsageError, match="named twice"):
        samples_of([str(mocks / "mock-2.fits"), str(mocks / "mock-*.fits")])


def test_a_damaged_covariance_is_refused(mocks, tmp_path):
    mockgal.combine(measured(mocks, "wp", bins=3)).covariance().save(tmp_path / "c.ecsv")
    text = (tmp_path / "c.ecsv").read_text()
    (tmp_path / "c.ecsv").write_text(text.replace("- {number: 10}", "- {number: many}"))
    with pytest.raises(mockgal.errors.CorruptFileError, match="damaged"):
        mockgal.read_covariance(tmp_path / "c.ecsv")


@pytest.mark.parametrize(
    ("name", "said"),
    [("mock-manifest.ecsv", "mockgal measure"), ("covariance.ecsv", "mockgal.read_covariance")],
)
def test_what_is_no_simulation_is_named(mocks, name, said, tmp_path):
    if name == "covariance.ecsv":
        found = mockgal.combine(measured(mocks, "satellite_fraction"))
        found.covariance().save(mocks / name)
    with pytest.raises(mockgal.errors.InputError, match=said):
        mockgal.read(mocks / name)
