"""The command, end to end, as a user types it."""

import json
import os
import re
import signal
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table

import mockgal
from mockgal import registry
from mockgal.cli import main
from mockgal.columns import GALAXY_COLUMNS
from mockgal.laws.distribution import Distribution
from mockgal.recipe import DEFAULT_SEED, check
from mockgal.testing import painter_contract, write_gadget4
from mockgal.writers.bundle import write_bundle

ROOT = Path(__file__).parents[2]


def content(result):
    assert result.returncode == 0, result.stderr
    return re.search(r"^content +([0-9a-f]{64})$", result.stdout, re.M)[1]


def test_the_literal_command(mockgal_command, demo_bundle, tmp_path):
    (tmp_path / "dark.hdf5").write_bytes(demo_bundle.read_bytes())
    result = mockgal_command("build", "--sim", "dark.hdf5", "--painter", "hod")
    assert result.returncode == 0, result.stderr
    assert f"seed {DEFAULT_SEED} (the default)" in result.stdout
    assert "gadget4-z0.00" in result.stdout
    with fits.open(tmp_path / "dark-hod.fits", checksum=True) as file:
        assert file["GALAXIES"].header["SEED"] == DEFAULT_SEED
        assert file["GALAXIES"].header["NAXIS2"] > 100
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".")) == [
        "dark-hod.fits",
        "dark-hod.fits.run.json",
        "dark.hdf5",
    ]


def test_the_catalogue_holds_what_the_simulation_says(build_demo, demo_bundle, tmp_path):
    """The whole chain against the input, read with h5py alone."""
    result = build_demo(
        "--seed",
        1,
        "--cut",
        "stellar_mass > 1e10 Msun/h",
        "--out",
        "mock.fits",
    )
    assert result.returncode == 0, result.stderr
    mock = QTable.read(tmp_path / "mock.fits", hdu="GALAXIES")
    h = 0.6774
    with h5py.File(demo_bundle) as file:
        halos = {name: file[f"halos/{name}"][()] for name in file["halos"]}
    row = {identity: i for i, identity in enumerate(halos["halo_id"])}
    rows = [row[i] for i in mock["galaxy_id"]]
    for axis, name in enumerate("xyz"):
        np.testing.assert_allclose(
            mock[f"position_{name}"].to_value("Mpc"), halos["position"][rows, axis] / h, rtol=1e-12
        )
        np.testing.assert_allclose(
            mock[f"velocity_{name}"].to_value("km/s"), halos["velocity"][rows, axis], rtol=1e-12
        )
    np.testing.assert_allclose(
        mock["halo_mass"].to_value("Msun"), halos["host_mass"][rows] / h, rtol=1e-12
    )
    assert np.array_equal(mock["is_central"], halos["is_central"][rows])
    assert np.array_equal(mock["halo_id"], halos["host_id"][rows])
    assert mock["stellar_mass"].to_value("Msun").min() > 1e10 / h
    assert np.all(np.diff(np.stack([mock["halo_id"], mock["galaxy_id"]]), axis=1)[0] >= 0)


def test_provenance(build_demo, demo_bundle, tmp_path):
    build_demo(
        "--out",
        "mock.hdf5",
        "--cut",
        "stellar_mass > 1e9 Msun/h",
        "--cut",
        "is_central == 1",
    )
    with h5py.File(tmp_path / "mock.hdf5") as file:
        text = file.attrs.get("provenance")
        provenance = json.loads(text if text is not None else file["provenance"][()])
    assert [c["cut"] for c in provenance["cuts"]] == [
        "stellar_mass > 1e9 Msun/h",
        "is_central == 1",
    ]
    assert provenance["cuts"][0]["before"] == provenance["painted"]
    assert provenance["simulation"]["mass_definition"] == "200c"
    assert provenance["simulation"]["reading"]["groups_without_subhalos"] == 1
    assert any("below the luminosity floor" in text for text in provenance["warnings"])
    assert any("not for science" in text for text in provenance["warnings"])
    assert "arXiv:2012.00186" in " ".join(provenance["painter"]["references"])
    sidecar = json.loads((tmp_path / "mock.hdf5.run.json").read_text())
    assert sidecar["input_files"][0]["size"] == demo_bundle.stat().st_size
    assert sidecar["peak_memory_bytes"] > 0


@pytest.fixture(scope="module")
def digest(demo_bundle):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1).digest()


class TestOneDigest:
    """The same content whatever the order, the chunks, the hash seed, the format or the units."""

    pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")

    def test_command(self, build_demo, digest):
        for i, options in enumerate([(), ("--units", "h"), ("--out", "x.h5"), ("--out", "y.fit")]):
            out = () if "--out" in options else ("--out", f"{i}.fits")
            assert (
                content(
                    build_demo(
                        "--seed",
                        1,
                        *options,
                        *out,
                    )
                )
                == digest
            )

    def test_hash_seed(self, build_demo, digest):
        for i, value in enumerate(["0", "1", "4242"]):
            assert (
                content(
                    build_demo(
                        "--seed",
                        1,
                        "--out",
                        f"{i}.fits",
                        PYTHONHASHSEED=value,
                    )
                )
                == digest
            )

    def test_files_are_identical_to_the_byte(self, build_demo, tmp_path):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            build_demo(
                "--out",
                "m.fits",
                cwd=tmp_path / name,
            )
        assert (tmp_path / "a/m.fits").read_bytes() == (tmp_path / "b/m.fits").read_bytes()

    def test_other_seed(self, build_demo, digest):
        assert (
            content(
                build_demo(
                    "--seed",
                    2,
                    "--out",
                    "z.fits",
                )
            )
            != digest
        )

    def test_shuffled_rows(self, demo_bundle, digest, tmp_path):
        shuffled = tmp_path / "shuffled.hdf5"
        shuffled.write_bytes(demo_bundle.read_bytes())
        with h5py.File(shuffled, "r+") as file:
            order = np.random.default_rng(5).permutation(len(file["halos/halo_id"]))
            for dataset in file["halos"].values():
                dataset[...] = dataset[()][order]
        assert mockgal.paint(mockgal.read(shuffled), "hod", seed=1).digest() == digest

    @pytest.mark.parametrize("rows", [1, 7, 100, 1 << 20])
    def test_chunks(self, demo_bundle, digest, rows):
        sim = mockgal.read(demo_bundle, chunk_rows=rows)
        assert mockgal.paint(sim, "hod", seed=1).digest() == digest


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_from_python(demo_bundle, tmp_path, monkeypatch):
    """The lines of the README."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dark.hdf5").write_bytes(demo_bundle.read_bytes())
    readme = (ROOT / "README.md").read_text()
    code = re.search(r"```python\n(import mockgal\n.*?)```", readme, re.S)[1]
    names: dict = {}
    exec(code, names)
    table = names["table"]
    assert table["stellar_mass"].unit == "Msun"
    assert len(Table.read("mock.fits", hdu="GALAXIES")) == len(table) == len(names["mock"]) > 0
    assert names["mock"]["stellar_mass"].min() > 1e9


def test_the_functions_stay_functions(demo_bundle):
    mockgal.read(demo_bundle)
    import_module("mockgal.selection.cuts")
    import_module("mockgal.writers.table")

    for name in mockgal.__all__:
        assert callable(getattr(mockgal, name))
        assert not isinstance(getattr(mockgal, name), type(os))


def test_recipe_and_options_agree(build_demo, mockgal_command, demo_bundle, tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"sim: {demo_bundle}\npainter: hod\nseed: 5\n"
        "cut: [stellar_mass > 3e9 Msun/h]\nout: a.fits\n"
    )
    a = mockgal_command("build", "--recipe", recipe)
    b = build_demo(
        "--seed",
        5,
        "--cut",
        "stellar_mass > 3e9 Msun/h",
        "--out",
        "b.fits",
    )
    c = mockgal_command("build", "--recipe", recipe, "--seed", 6, "--out", tmp_path / "c.fits")
    assert content(a) == content(b) != content(c)
    headers = [fits.getheader(tmp_path / f"{n}.fits", "GALAXIES") for n in "abc"]
    assert headers[0]["CONFHASH"] == headers[1]["CONFHASH"] != headers[2]["CONFHASH"]


class TestInspect:
    def test_text(self, mockgal_command, demo_bundle):
        result = mockgal_command("inspect", demo_bundle)
        assert result.returncode == 0
        for text in (
            "16 Mpc/h",
            "redshift        0",
            "1.33925e+09 Msun/h",
            "371 groups",
            "370 centrals",
            "86 satellites",
            "can paint this",
        ):
            assert text in result.stdout

    def test_json(self, mockgal_command, demo_bundle):
        facts = json.loads(mockgal_command("inspect", demo_bundle, "--json").stdout)
        assert facts["subhalos"] == 456
        assert facts["particles"] == 64**3
        assert facts["cosmology"]["h"] == 0.6774
        assert facts["painters"]["hod"]["ready"]

    def test_says_what_is_missing(self, demo_bundle, tmp_path, mockgal_command):
        later, scene = tmp_path / "z.hdf5", mockgal.read(demo_bundle)
        write_bundle(replace(scene, snapshot=replace(scene.snapshot, redshift=3.0)), later)
        state = json.loads(mockgal_command("inspect", later, "--json").stdout)["painters"]["hod"]
        assert not state["ready"]
        assert "redshift 3 outside" in state["missing"]


class TestRefusals:
    """Exit codes and messages at the boundary; what readers refuse is in tests/faults."""

    @pytest.mark.parametrize(
        ("options", "code", "says"),
        [
            (["--painter", "hod"], 2, "--sim"),
            (["--sim", "SIM"], 2, "--painter"),
            (["--sim", "SIM", "--painter", "magic"], 2, "one of hod"),
            (["--sim", "none.hdf5", "--painter", "hod"], 3, "none.hdf5"),
            (["--sim", "SIM", "--painter", "hod", "--cut", "stellar_mass > 1e9"], 2, "unit"),
            (["--sim", "SIM", "--painter", "hod", "--cut", "colour > 1"], 2, "stellar_mass"),
            (["--sim", "SIM", "--painter", "hod", "--out", "x.txt"], 2, ".fits"),
            (["--sim", "SIM", "--painter", "hod", "--out", "no/such/x.fits"], 5, "no/such"),
            (["--sim", "SIM", "--painter", "hod", "--out", "SIM"], 2, "dark.hdf5"),
            (["--sim", "SIM", "--painter", "hod", "--calibration", "x"], 2, "gadget4-z0.00"),
            (
                ["--sim", "SIM", "--painter", "hod", "--calibration", "gadget4-z1.02"],
                3,
                "--allow-extrapolation",
            ),
            (["--sim", "SIM", "--painter", "hod", "--mass-definition", "9000c"], 2, "200m"),
            (["--sim", "SIM", "--painter", "hod", "--mass-definition", "200m"], 2, "200c"),
            (["--sim", "SIM", "--painter", "hod", "--seed", "x"], 2, "seed"),
            (["--sim", "SIM", "--painter", "hod", "--seeds", "1"], 2, "--seed"),
            (["--recipe", "none.yaml"], 2, "none.yaml"),
        ],
    )
    def test_build(self, mockgal_command, demo_bundle, tmp_path, options, code, says):
        options = [str(demo_bundle) if o == "SIM" else o for o in options]
        result = mockgal_command("build", *options)
        assert result.returncode == code, result.stderr
        assert re.search(r"^mockgal: error\[E\d{3}\] .+", result.stderr, re.M)
        assert says in result.stderr
        assert not list(tmp_path.glob("*.fits"))
        assert not list(tmp_path.glob(".*part*"))

    @pytest.mark.fault(58)
    def test_existing_output(self, mockgal_command, demo_bundle, tmp_path):
        (tmp_path / "m.fits").write_text("mine")
        options = ["build", "--sim", demo_bundle, "--painter", "hod", "--out", "m.fits"]
        result = mockgal_command(*options)
        assert result.returncode == 2
        assert "--overwrite" in result.stderr
        assert (tmp_path / "m.fits").read_text() == "mine"
        assert mockgal_command(*options, "--overwrite").returncode == 0

    def test_extrapolation_is_flagged(self, build_demo, tmp_path):
        result = build_demo(
            "--calibration",
            "gadget4-z1.02",
            "--allow-extrapolation",
            "--out",
            "m.fits",
        )
        assert result.returncode == 0, result.stderr
        assert Table.read(tmp_path / "m.fits", hdu="GALAXIES")["extrapolated"].all()

    @pytest.mark.fault(49)
    def test_nothing_left(self, mockgal_command, demo_bundle, tmp_path):
        options = [
            "build",
            "--sim",
            demo_bundle,
            "--painter",
            "hod",
            "--cut",
            "stellar_mass > 1e15 Msun",
            "--out",
            "m.fits",
        ]
        failed = mockgal_command(*options, "--require-nonempty")
        assert failed.returncode == 3
        assert not (tmp_path / "m.fits").exists()
        result = mockgal_command(*options)
        assert result.returncode == 0
        assert "no galaxy passes" in result.stderr
        table = QTable.read(tmp_path / "m.fits", hdu="GALAXIES")
        assert len(table) == 0
        assert table["stellar_mass"].unit == "Msun"

    def test_no_command_line_is_a_traceback(self, mockgal_command):
        assert mockgal_command("bild").returncode == 2
        assert mockgal_command("inspect").returncode == 2
        assert mockgal_command("--version").stdout.startswith("mockgal ")

    @pytest.mark.fault(70)
    def test_control_characters_do_not_reach_the_screen(self, mockgal_command):
        result = mockgal_command("inspect", "a\x1b[31m\nmockgal: error[E000] forged")
        assert result.returncode == 3
        assert "\x1b" not in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.fault(55)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_that_a_library_makes_its_own_error_of(number, code):
    """As NumPy does where it compares structured arrays."""
    script = """
import signal, sys
from mockgal import cli

def command(*_, **__):
    try:
        signal.raise_signal(int(sys.argv[1]))
    except BaseException:
        pass
    raise TypeError("Cannot compare structured arrays")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
cli.cli = command
cli.main([])
"""
    result = subprocess.run(
        [sys.executable, "-c", script, str(int(number))], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == code
    assert result.stderr == "mockgal: interrupted; every output is whole, or as it was\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(demo_bundle, tmp_path, number, code):
    script = (
        "import sys, time, mockgal.tasks.build as p, mockgal.cli\n"
        "def slow(*a, **k): print('started', flush=True); time.sleep(60)\n"
        "p.read = slow\n"
        f"sim = {str(demo_bundle)!r}\n"
        "mockgal.cli.main(['build', '--sim', sim, '--painter', 'hod', '--out', 'm.fits'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert not (tmp_path / "m.fits").exists()


class TestOverwriting:
    """No output replaces what was read, nor what the user did not offer."""

    @pytest.fixture
    def run(self, tmp_path):
        write_gadget4(tmp_path / "run", files=2)
        return tmp_path / "run"

    @pytest.mark.fault(59)
    def test_any_file_of_the_input_is_kept(self, mockgal_command, run):
        catalogues = sorted(run.rglob("fof_subhalo_tab_*.hdf5"))
        snapshots = sorted(run.rglob("snap_*.hdf5"))
        assert len(catalogues) == len(snapshots) == 2
        before = {path: path.read_bytes() for path in catalogues + snapshots}
        for sim in (catalogues[0], catalogues[0].parent):
            for out in (catalogues[1], snapshots[0]):
                for command in (
                    ["build", "--sim", sim, "--painter", "hod", "--out", out, "--overwrite"],
                    ["pack", "--sim", sim, "--out", out, "--overwrite"],
                ):
                    result = mockgal_command(*command)
                    assert result.returncode == 2, result.stderr
                    assert "input" in result.stderr
        assert {path: path.read_bytes() for path in before} == before

    @pytest.mark.fault(58)
    def test_the_record_of_the_run_replaces_nothing_unasked(
        self, mockgal_command, demo_bundle, tmp_path
    ):
        (tmp_path / "m.fits.run.json").write_text("mine")
        options = ["build", "--sim", demo_bundle, "--painter", "hod", "--out", "m.fits"]
        result = mockgal_command(*options)
        assert result.returncode == 2
        assert "m.fits.run.json" in result.stderr
        assert not (tmp_path / "m.fits").exists()
        assert (tmp_path / "m.fits.run.json").read_text() == "mine"
        (tmp_path / "m.fits.run.json").unlink()
        (tmp_path / "m.fits.run.json").mkdir()
        assert mockgal_command(*options, "--overwrite").returncode == 5
        assert not (tmp_path / "m.fits").exists()


class TestStandardOutput:
    def command(self, demo_bundle, redirect, tmp_path):
        text = f"{sys.executable} -m mockgal build --sim {demo_bundle} --painter hod --out m.fits"
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {text} {redirect}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_nobody_reads(self, demo_bundle, tmp_path):
        for redirect in ("| true", ">&-"):
            result = self.command(demo_bundle, redirect + " ", tmp_path)
            assert result.returncode == 0, result.stderr
            assert "Traceback" not in result.stderr
            assert "BrokenPipe" not in result.stderr
            for path in tmp_path.iterdir():
                path.unlink()

    def test_full(self, demo_bundle, tmp_path):
        result = self.command(demo_bundle, "> /dev/full", tmp_path)
        assert result.returncode == 5, result.stderr
        assert "standard output" in result.stderr
        assert (tmp_path / "m.fits").exists()


def test_options_that_were_given_are_recorded(demo_bundle):
    sim = mockgal.read(demo_bundle, orphans="drop", chunk_rows=7)
    assert sim.snapshot.record["options_given"] == {"orphans": "drop"}
    assert "options_given" not in mockgal.read(demo_bundle).snapshot.record


def test_warnings_are_recorded_from_python_too(demo_bundle):
    with pytest.warns(mockgal.errors.MockgalWarning):
        mock = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1)
    with pytest.warns(mockgal.errors.MockgalWarning, match="below the luminosity floor"):
        mock = mockgal.select(mock, "stellar_mass > 1e9 Msun/h")
    told = " ".join(mock.provenance["warnings"])
    assert "not for science" in told
    assert "below the luminosity floor" in told


def test_options_beside_a_painter_are_refused(demo_bundle):
    painter = mockgal.tasks.build.make_painter("hod", {})
    with pytest.raises(mockgal.errors.UsageError):
        mockgal.paint(mockgal.read(demo_bundle), painter, seed=1, calibration="x")


@pytest.mark.parametrize("text", ["3", "null", "[1]", "{x: 1}"])
def test_painter_options_of_any_kind(mockgal_command, demo_bundle, tmp_path, text):
    (tmp_path / "r.yaml").write_text(f"sim: {demo_bundle}\npainter: hod\npainter_options: {text}\n")
    for more in ([], ["--allow-extrapolation"]):
        assert mockgal_command("build", "--recipe", "r.yaml", *more).returncode == 2


def test_no_arguments_show_the_help(mockgal_command):
    result = mockgal_command()
    assert result.returncode == 0
    assert result.stdout == mockgal_command("--help").stdout
    assert "build" in result.stdout
    assert not result.stderr
    for words in (("weights",), ("build",), ("measure",), ("pack",)):
        result = mockgal_command(*words)
        assert result.returncode == 2, words
        assert not result.stdout
        assert "weights" in result.stderr or "error[E201]" in result.stderr


def test_pack_wants_its_extension(mockgal_command, demo_bundle, tmp_path):
    assert mockgal_command("pack", "--sim", demo_bundle, "--out", "x.txt").returncode == 2
    assert not (tmp_path / "x.txt").exists()


class ToyPainter:
    """The least that a painter can be: everything is luminous, at one mass."""

    name = "toy"
    needs = frozenset({"halos"})
    provides = (GALAXY_COLUMNS["stellar_mass"], GALAXY_COLUMNS["extrapolated"])
    references = ("nobody",)

    def describe(self, scene):
        return {"name": "toy", "references": ["nobody"]}

    def predict(self, scene):
        n = len(scene.halos)
        return Distribution(
            np.ones(n),
            np.full(n, 10.0),
            np.ones(n),
            np.zeros(n, int),
            np.array([0.0, 1.0]),
            np.zeros((1, 2)),
            8.0,
            np.zeros(n, bool),
        )


def test_a_painter_of_a_third_party_passes_through_the_command(demo_bundle, tmp_path, monkeypatch):
    painter_contract(ToyPainter(), mockgal.read(demo_bundle))
    monkeypatch.setitem(
        registry._BUILT_IN["painters"], "toy", registry.Entry(f"{__name__}:ToyPainter")
    )
    monkeypatch.setitem(sys.modules, __name__, sys.modules[ToyPainter.__module__])
    out = tmp_path / "toy.fits"
    with pytest.raises(SystemExit) as caught:
        main(["build", "--sim", str(demo_bundle), "--painter", "toy", "--out", str(out)])
    assert caught.value.code == 0
    assert len(Table.read(out, hdu="GALAXIES")) == 456


@pytest.mark.slow
def test_threads_do_not_share_their_warnings(demo_bundle, tmp_path):
    sim = mockgal.read(demo_bundle)

    def one(i):
        mock = mockgal.paint(sim, "hod", seed=1)
        mockgal.write(mock, tmp_path / f"{i}.fits")
        return len(mock.provenance["warnings"]), (tmp_path / f"{i}.fits").read_bytes()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(8) as pool:
            results = set(pool.map(one, range(24)))
    assert {number for number, _ in results} == {2}
    assert len(results) == 1


@pytest.mark.parametrize("value", ["error", "ignore"])
def test_filters_of_the_environment_change_nothing(build_demo, value):
    result = build_demo("--out", f"{value}.fits", PYTHONWARNINGS=value)
    assert result.returncode == 0, result.stderr
    assert "not for science" in result.stderr


@pytest.mark.parametrize("name", ["a" * 300, "a" * 300 + "/b"])
def test_names_that_no_file_can_have(mockgal_command, demo_bundle, name):
    assert mockgal_command("inspect", name).returncode == 3
    assert (
        mockgal_command("build", "--sim", name, "--painter", "hod", "--out", "y.fits").returncode
        == 3
    )
    assert mockgal_command(
        "build", "--sim", demo_bundle, "--painter", "hod", "--out", "x.fits", "--calibration", name
    ).returncode in (2, 3)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_objects_are_no_options_of_a_recipe(demo_bundle):
    values = {"sim": demo_bundle, "painter": "hod", "painter_options": {"calibration": object()}}
    with pytest.raises(mockgal.errors.UsageError, match=r"mockgal\.paint takes objects"):
        check(values, "test")


def test_a_mass_definition_that_would_not_help_is_not_advised(mockgal_command, tmp_path):
    """Its particles are too heavy for any calibration, whatever the mass of hosts."""
    sim = write_gadget4(tmp_path / "run")
    result = mockgal_command("build", "--sim", sim, "--painter", "hod", "--mass-definition", "fof")
    assert result.returncode == 3
    assert "host mass is fof, not 200c" in result.stderr
    assert "--mass-definition" not in result.stderr


def test_the_snapshot_is_found_from_inside_the_folder(mockgal_command, tmp_path):
    folder = write_gadget4(tmp_path / "run", files=2)
    (tmp_path / "link").symlink_to(folder)
    one = next(folder.glob("*.0.hdf5")).name
    found = {
        json.loads(mockgal_command("inspect", path, "--json", cwd=cwd).stdout)["particles"]
        for path, cwd in ((folder, tmp_path), (".", folder), (one, folder), ("link", tmp_path))
    }
    assert len(found) == 1
    assert found.pop()
