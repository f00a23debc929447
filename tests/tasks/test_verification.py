"""Mocks against what is recorded of them: verified, damaged, moved; made again, and compared."""

import hashlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import mockgal
from mockgal.errors import (
    FormatError,
    InputError,
    MockgalError,
    NotAsWrittenError,
    NotReproducedError,
    UsageError,
    listening,
)
from mockgal.recipe import check
from mockgal.system.parallel import threads, using
from mockgal.tasks.verification import reproduce as reproducing
from mockgal.tasks.verification.differences import compare_catalogues
from mockgal.testing import write_gadget4
from mockgal.writers.bundle import write_bundle
from mockgal.writers.provenance import read_sidecar, sidecar_path

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
import galaxies_samples as samples

CALIBRATION = Path(mockgal.__file__).parent / "painters/hod/calibrations/gadget4-z0.00.ecsv"
SKY = {
    "light_cone": {"redshifts": [0.004, 0.013]},
    "footprint": {"ra": ["0 deg", "60 deg"], "dec": ["0 deg", "50 deg"]},
    "n_of_z": {"redshifts": [0.005, 0.012], "density": "1e-2 h^3/Mpc^3", "by": "threshold"},
    "weights": {"fkp_power": "1e3 Mpc^3/h^3"},
    "randoms": {"times": 5},
}
CONE = {"light_cone": {"redshifts": [0.004, 0.006]}}


def build(sim, out, **more):
    """Build a mock of the demo with few galaxies."""
    recipe = {"sim": str(sim), "painter": "hod", "seed": 3, "out": str(out), **more}
    recipe = {"cut": "stellar_mass > 3e10 Msun/h", **recipe}
    with listening(quiet=True):
        return mockgal.build(check(recipe, "a test"))


def verify(path, **how):
    with listening(quiet=True):
        return mockgal.verify(path, **how)


def reproduce(path, *out, **how):
    with listening(quiet=True):
        return mockgal.reproduce(path, *out, **how)


def results(verification):
    """The result of each check by its name; of a wrong one its reason is there."""
    assert all(check.why for check in verification.wrong if check.name != "rows")
    return {check.name: check.result for check in verification.checks}


@pytest.fixture
def sim(demo_bundle, tmp_path):
    return shutil.copy(demo_bundle, tmp_path / "dark.hdf5")


@pytest.fixture
def mock(sim, tmp_path):
    """Build a mock, h-free in FITS unless told otherwise, with its record."""

    def make(name="mock.fits", **more):
        build(sim, tmp_path / name, **more)
        return tmp_path / name

    return make


@pytest.fixture(scope="module")
def painted_by_the_network(demo_bundle, tmp_path_factory):
    """Return the path of a mock of the network, with the simulation beside it."""
    folder = tmp_path_factory.mktemp("network")
    sim = shutil.copy(demo_bundle, folder / "dark.hdf5")
    build(sim, folder / "m.fits", painter="cnn")
    return folder / "m.fits"


KINDS = {
    "fits": ("m.fits", {}),
    "gzip": ("m.fits.gz", {"units": "h"}),
    "hdf5": ("m.hdf5", {"units": "h", "compress": True}),
    "parquet": ("m.parquet", {}),
    "desi": ("m.fits", {"model_out": "desi", "survey": SKY}),
    "boss": ("m.fits", {"model_out": "boss", "survey": SKY}),
    "gcr": ("m.hdf5", {"model_out": "gcr", "survey": CONE}),
    "model": (
        "m.hdf5",
        {
            "drop_bad": True,
            "painter_options": {
                "model": "leauthaud11",
                "luminosity_floor": "1e9 Msun/h",
                "allow_extrapolation": True,
            },
        },
    ),
}


@pytest.mark.slow_but("desi", "hdf5", "gcr", "parquet")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_output_is_verified_and_made_again(kind, mock, tmp_path):
    name, more = KINDS[kind]
    path, again = mock(name, **more), tmp_path / "again"
    again.mkdir()
    found = verify(path, inputs=True)
    assert set(results(found).values()) == {"right"}
    assert ("randoms" in results(found)) == ("n(z)" in results(found)) == (kind in ("desi", "boss"))
    (made,) = reproduce(path, again / name).mocks
    assert (made.verdict, made.same_file, made.changes) == ("identical", True, {})
    for file in tmp_path.glob("m*"):
        if not file.name.endswith(".run.json"):
            twin = again / file.name
            assert twin.read_bytes() == file.read_bytes()
    assert (made.randoms is not None) == (kind in ("desi", "boss"))
    # From the file alone, with the simulation beside it.
    sidecar_path(path).unlink()
    assert results(verify(path))["record"] == "not checked"
    (alone,) = reproduce(path).mocks
    assert (alone.verdict, alone.recipe_from) == ("identical", "its own provenance")
    assert verify(again / name).is_right


MADE = {}


@pytest.fixture
def once(monkeypatch):
    """Let the network, whose recipe is one, predict once: it takes seconds."""
    make = reproducing._make
    monkeypatch.setattr(
        reproducing, "_make", lambda *asked: MADE.setdefault("m", MADE.get("m") or make(*asked))
    )


def test_a_mock_of_the_network(painted_by_the_network, once, tmp_path):
    assert results(verify(painted_by_the_network))["weights"] == "right"
    (made,) = reproduce(painted_by_the_network, tmp_path / "m.fits", threads=2).mocks
    assert (made.verdict, made.same_file, made.changes) == ("identical", True, {})


# ---- damage


def found_out(path):
    """Whether a file that was changed is refused, or something about it is wrong."""
    try:
        return not verify(path).is_right
    except MockgalError:
        return True


@pytest.fixture
def few(tmp_path):
    """Write a few galaxies without a record; returns the path."""

    def write(name, units="h-free"):
        path = tmp_path / name
        mockgal.write(samples.catalogue(40), path, units=units, overwrite=True)
        assert verify(path).is_right
        return path

    return write


def places(path):
    """Where the data of a file are, by byte: all of a FITS file, the rows of an HDF5 file."""
    if path.suffix == ".fits":
        return np.arange(path.stat().st_size)
    with h5py.File(path) as file:
        chunks = [file["galaxies"][name].id.get_chunk_info(0) for name in file["galaxies"]]
    return np.concatenate([np.arange(c.byte_offset, c.byte_offset + c.size) for c in chunks])


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("a.fits", 100),
        ("a.hdf5", 25),
        pytest.param("a.fits", 2000, marks=pytest.mark.slow),
        pytest.param("a.hdf5", 1000, marks=pytest.mark.slow),
    ],
)
def test_any_flipped_byte_is_found(name, number, few):
    path, rng = few(name), np.random.default_rng(1)
    raw = path.read_bytes()
    for at in rng.choice(places(path), number, replace=False):
        changed = bytearray(raw)
        changed[at] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        assert found_out(path), at


def test_any_flipped_byte_is_found_by_the_record(mock):
    """Also bytes of HDF5 that hold nothing."""
    path, rng = mock("a.hdf5"), np.random.default_rng(2)
    raw = path.read_bytes()
    for at in rng.choice(len(raw), 10, replace=False):
        changed = bytearray(raw)
        changed[at] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        assert found_out(path), at
    path.write_bytes(raw)
    assert verify(path).is_right


@pytest.mark.parametrize("units", ["h-free", "h"])
@pytest.mark.parametrize("name", ["a.fits", "a.hdf5"])
def test_exchanged_bytes_and_rows_are_found(name, units, few):
    """By the digests of columns: all checksums are right again."""
    path, rng = few(name, units), np.random.default_rng(3)
    raw = path.read_bytes()
    for _ in range(5):
        column = ["stellar_mass", "galaxy_id", "position_x", "is_central"][rng.integers(4)]
        row, other = rng.choice(40, 2, replace=False)
        path.write_bytes(raw)
        if name == "a.hdf5":
            with h5py.File(path, "a") as file:
                values = file["galaxies"][column][:]
                swapped = values.copy()
                swapped[[row, other]] = values[[other, row]]
                file["galaxies"][column][:] = swapped
                same = np.array_equal(values, swapped)
        else:
            hdus = samples.take_apart(path)
            table = np.frombuffer(hdus[1][1], np.uint8).reshape(40, -1).copy()
            at, by = rng.integers(0, table.shape[1]), 4 * rng.integers(1, 5)
            whole = rng.random() < 0.5  # exchange rows, or bytes that the sum does not tell apart
            flat = table.ravel()
            pair = [row * table.shape[1] + at, (row * table.shape[1] + at + by) % flat.size]
            before = table.copy()
            if whole:
                table[[row, other]] = table[[other, row]]
            else:
                flat[pair] = flat[pair[::-1]]
            same = np.array_equal(before, table)
            hdus[1][1] = table.tobytes()
            samples.put_together(path, hdus)
        assert same or found_out(path)


def test_bytes_of_the_provenance_that_were_exchanged(few):
    """The sum of FITS does not tell 32-bit words apart, but the digest of the JSON does."""
    path = few("a.fits")
    hdus = samples.take_apart(path)
    json_ = bytearray(hdus[2][1])
    at = json_.index(b'"seed":42') + len(b'"seed":')
    twin = next(i for i in range(at + 4, len(json_), 4) if json_[i : i + 1] in b"13579")
    json_[at], json_[twin] = json_[twin], json_[at]
    hdus[2][1] = bytes(json_)
    samples.put_together(path, hdus)
    (wrong,) = verify(path).wrong
    assert wrong.name == "description"
    assert "text of digest" in wrong.why


@pytest.mark.parametrize("name", ["a.fits", "a.hdf5", "a.parquet", "a.fits.gz"])
@pytest.mark.parametrize("change", [lambda x: x[:-1], lambda x: x + b"0", lambda x: x[:3000]])
def test_cut_off_and_appended_files(name, change, few):
    path = few(name)
    path.write_bytes(change(path.read_bytes()))
    assert found_out(path)


def test_files_of_earlier_versions_and_of_others(few, tmp_path, mock):
    path = few("a.fits")
    hdus = samples.take_apart(path)

    def earlier(value):
        del value["file"]["stored_digests"]
        value["file"]["schema"] = 1
        return value

    samples.put_together(path, samples.with_json(hdus, earlier))
    assert results(verify(path))["columns"] == "not checked"
    with pytest.raises(InputError, match="no recipe in its provenance"):
        reproduce(path)
    (tmp_path / "b.txt").write_text("ra dec\n1 2\n")
    with pytest.raises(FormatError, match="FITS, HDF5 or Parquet"):
        mockgal.verify(tmp_path / "b.txt")
    with pytest.raises(InputError, match="no such file"):
        mockgal.verify(tmp_path / "c.fits")
    with pytest.raises(UsageError, match="no folder"):
        mockgal.verify(mock(), look_in=[tmp_path / "nowhere"])
    # Before 0.2 the record listed the files that were read, and nothing else.
    built = mock("d.fits")
    record = read_sidecar(built)
    old = {key: record[key] for key in ("content_digest", "input_files")}
    for one in old["input_files"]:
        del one["use"]
    sidecar_path(built).write_text(json.dumps(old))
    galaxies = mockgal.read_galaxies(built)
    kept = {k: v for k, v in galaxies.provenance.items() if k not in ("inputs", "read_from")}
    mockgal.write(replace(galaxies, provenance=kept), tmp_path / "e.fits")
    old["content_digest"] = mockgal.inspect(tmp_path / "e.fits")["content_digest"]
    sidecar_path(tmp_path / "e.fits").write_text(json.dumps(old))
    assert results(verify(tmp_path / "e.fits"))["file"] == "right"


def test_a_mock_by_another_name(mock, tmp_path):
    path = mock()
    for name in (path, sidecar_path(path)):
        name.rename(tmp_path / name.name.replace("mock", "other"))
    assert results(verify(tmp_path / "other.fits", inputs=True))["whole file"] == "right"


def test_changed_by_hand(mock, tmp_path):
    from astropy.table import Table

    path = mock()
    table = Table.read(path, hdu=1)
    table.meta["CHANGED"] = "brightest only"
    table[:3].write(path, overwrite=True)
    (wrong,) = verify(path).wrong
    assert (wrong.name, wrong.found) == ("rows", "changed by hand")
    with pytest.raises(NotAsWrittenError, match="brightest only"):
        reproduce(path)


# ---- what is beside a mock, and what it was made from


def test_inputs_that_were_moved_or_changed(mock, sim, tmp_path):
    shutil.copy(CALIBRATION, tmp_path / "law.ecsv")
    options = {"calibration": str(tmp_path / "law.ecsv"), "allow_extrapolation": True}
    path, away = mock(painter_options=options), tmp_path / "away"
    assert results(verify(path))["calibration"] == "right"
    (away / "in").mkdir(parents=True)
    shutil.move(sim, away / "in")
    found = verify(path)
    assert results(found)["sim"] == "not found"
    assert found.is_right
    with pytest.raises(NotAsWrittenError, match="1 of 11 checks wrong: sim"):
        verify(path, inputs=True).raise_if_wrong()
    assert results(verify(path, look_in=[away / "in"]))["sim"] == "right"
    with pytest.raises(InputError, match="--sim PATH"):
        reproduce(path)
    assert reproduce(path, sim=away / "in/dark.hdf5").is_identical
    with pytest.raises(UsageError, match="2 simulations"):
        reproduce(path, sim=[away, away])
    # Another calibration of that name, and other halos.
    text = (tmp_path / "law.ecsv").read_text()
    (tmp_path / "law.ecsv").write_text(text.replace("0.9", "0.8", 1))
    assert results(verify(path, look_in=[away / "in"]))["calibration"] == "wrong"
    with pytest.raises(NotAsWrittenError, match="another calibration"):
        reproduce(path, look_in=[away / "in"])
    (tmp_path / "law.ecsv").write_text(text)
    scene = mockgal.read(away / "in/dark.hdf5")
    write_bundle(replace(scene, halos=scene.halos.take(np.arange(300))), tmp_path / "dark.hdf5")
    assert results(verify(path))["sim"] == "wrong"
    with pytest.raises(NotAsWrittenError, match="halos of digest"):
        reproduce(path)
    # The same halos in another file will do, for a painter that sees nothing else.
    write_bundle(replace(scene, particles=None), tmp_path / "other.hdf5")
    (made,) = reproduce(path, sim=tmp_path / "other.hdf5").mocks
    assert (made.verdict, made.inputs[0].same) == ("identical", False)


def test_a_simulation_in_many_files(mock, tmp_path):
    folder = write_gadget4(tmp_path / "run", files=2)
    path = tmp_path / "many.fits"
    options = {"calibration": "gadget4-z0.00", "allow_extrapolation": True}
    build(folder, path, cut=(), painter_options=options)
    (stated,) = mockgal.read_galaxies(path).provenance["inputs"]
    files = [Path(one["path"]) for one in read_sidecar(path)["input_files"]]
    files = [file for file in files if "snap" not in file.name]  # particles are not digested
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    lines = "".join(sorted(f"{digest}  {name}\n" for name, digest in digests.items()))
    assert stated["files"] > 1
    assert stated["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert results(verify(path))["sim"] == "right"
    away = tmp_path / "away"
    shutil.move(tmp_path / "run", away)
    assert results(verify(path))["sim"] == "not found"
    assert results(verify(path, look_in=[away]))["sim"] == "right"
    next((away / folder.name).glob("*.1.hdf5")).unlink()
    assert results(verify(path, look_in=[away]))["sim"] == "wrong"


def test_a_record_of_another_mock_and_files_that_are_gone(mock):
    path = mock("a.fits", survey=SKY, model_out="desi")
    other = mock("b.fits", seed=4)
    nz, randoms = path.with_name("a_nz.txt"), path.with_name("a_ran.fits")
    nz.write_text(nz.read_text().replace("content ", "content 0"))
    assert results(verify(path))["n(z)"] == "wrong"
    nz.unlink()
    shutil.copy(other, randoms)
    found = verify(path)
    assert [check.name for check in found.wrong] == ["file beside", "file beside", "randoms"]
    shutil.copy(sidecar_path(other), sidecar_path(path))
    assert [check.name for check in verify(path).wrong] == ["record"]
    assert reproduce(path).mocks[0].recipe_from == "its own provenance"


# ---- ensembles, surveys of mocks


@pytest.fixture
def ensemble(sim, tmp_path):
    recipe = {"sim": str(sim), "painter": "hod", "out": str(tmp_path / "e-{seed}.fits")}
    with listening(quiet=True):
        return mockgal.build_ensemble(check(recipe, "a test"), "1-3").manifest


def test_an_ensemble(ensemble, tmp_path):
    found = verify(ensemble, inputs=True)
    assert found.is_right
    assert len(found.files) == 4
    assert results(found)["made from"] == "right"
    again = reproduce(ensemble, tmp_path / "again-{seed}.fits")
    assert again.is_identical
    assert [one.same_file for one in again.mocks] == [True] * 3
    with pytest.raises(UsageError, match="one file for 3 mocks"):
        reproduce(ensemble, tmp_path / "one.fits")
    first, second, third = (tmp_path / f"e-{seed}.fits" for seed in (1, 2, 3))
    shutil.copy(third, second)
    shutil.copy(sidecar_path(third), sidecar_path(second))
    first.unlink()
    wrong = {(check.path, check.name) for check in verify(ensemble).wrong}
    assert wrong >= {(first, "file"), (second, "manifest"), (second, "seed")}
    second.write_text("no mock")
    assert {check.path for check in verify(ensemble).wrong} == {first, second}
    text = ensemble.read_text()
    ensemble.write_text(text.replace("e-{seed}", "f-{seed}"))
    wrong = {(check.path, check.name) for check in verify(ensemble).wrong}
    assert wrong >= {(ensemble, "whole table"), (third, "made from")}


def test_a_survey_of_mocks(mock, tmp_path, mockgal_command):
    mock("box.fits")
    command = ("survey", "box.fits", "--redshift-space", "z", "--cut", "stellar_mass > 5e10 Msun/h")
    assert mockgal_command(*command, "--out", "s.fits").returncode == 0
    path = tmp_path / "s.fits"
    assert results(verify(path, inputs=True))["mocks"] == "right"
    assert reproduce(path, tmp_path / "t.fits").mocks[0].same_file
    for one in ("s.fits", "t.fits"):
        sidecar_path(tmp_path / one).unlink()
        assert reproduce(tmp_path / one).is_identical


@pytest.mark.parametrize("kind", ["table", "covariance", "calibration", "weights", "bundle"])
def test_other_files_of_mockgal(kind, mock, sim, tmp_path):
    path = {"bundle": Path(sim)}.get(kind, tmp_path / "law.ecsv")
    if kind == "calibration":
        shutil.copy(CALIBRATION, path)
    elif kind == "weights":
        path = tmp_path / "net.safetensors"
        shutil.copy(CALIBRATION.parents[2] / "cnn/networks/gadget4-demo.safetensors", path)
    elif kind != "bundle":
        measured = mockgal.measure(mockgal.read_galaxies(mock(cut=())), "mass_function")
        (measured if kind == "table" else measured.covariance()).save(path)
        again = (mockgal.read_measurement if kind == "table" else mockgal.read_covariance)(path)
        assert "file_digest" not in again.settings
    check_, *sums = verify(path).checks
    assert check_.result == "right"
    assert len(sums) == (kind == "bundle")  # those of its particles
    raw = bytearray(path.read_bytes())
    at = len(raw) // 2
    raw[at] = ord("3") if raw[at] != ord("3") else ord("4")
    path.write_bytes(raw)
    check_, *_ = verify(path).checks
    assert (check_.result, check_.found) in (("wrong", "damaged"), ("wrong", "changed"))
    if kind == "table":
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "file_digest" not in line))
        (check_,) = verify(path).checks
        assert (check_.result, check_.found) == ("not checked", "no digest in it")


# ---- mocks that do not come out the same


def test_a_mock_that_differs(mock, tmp_path):
    path = mock("a.fits")
    galaxies = mockgal.read_galaxies(path)
    mass = galaxies["stellar_mass"].copy()
    mass[:2] *= np.float32(1.5)
    other = replace(galaxies.with_columns(stellar_mass=mass)[1:], provenance=galaxies.provenance)
    mockgal.write(other, tmp_path / "b.fits")
    (made,) = (found := reproduce(tmp_path / "b.fits")).mocks
    assert (made.verdict, made.other_versions) == ("different", {})
    (difference,) = made.compared.differences
    assert (difference.column, difference.rows) == ("stellar_mass", 1)
    assert difference.relative == pytest.approx(1 / 3, rel=1e-6)
    assert (made.compared.only_first, made.compared.only_second) == (0, 1)
    with pytest.raises(NotReproducedError, match="report it"):
        found.raise_if_different()


def test_a_mock_that_was_converted(mock, tmp_path):
    """From a file of other units, which rounds: the galaxies are those that it states."""
    galaxies = mockgal.read_galaxies(mock("a.fits"))
    mockgal.write(galaxies, tmp_path / "b.hdf5", units="h")
    found = reproduce(tmp_path / "b.hdf5")
    assert found.is_identical
    assert found.mocks[0].digests[0] != found.mocks[0].digests[1]
    mockgal.write(galaxies.with_columns(vmax=galaxies["vmax"] * 1.01), tmp_path / "c.hdf5")
    assert not reproduce(tmp_path / "c.hdf5").is_identical


def test_a_record_that_was_edited(mock):
    """Only the recipe whose digest the mock states is carried out."""
    path = mock()
    record = json.loads(sidecar_path(path).read_text())
    for recipe in ({**record["recipe"], "seed": 9}, {"survey": [1]}, {}, "none"):
        sidecar_path(path).write_text(json.dumps({**record, "recipe": recipe, "outputs": [3]}))
        assert reproduce(path).mocks[0].recipe_from == "its own provenance"
    assert verify(path).is_right


def test_a_network_on_another_device(painted_by_the_network, once, tmp_path, monkeypatch):
    """Its predictions agree within 1e-4, and so do the galaxies."""
    galaxies = mockgal.read_galaxies(painted_by_the_network)
    monkeypatch.chdir(painted_by_the_network.parent)  # where the simulation is
    painter = galaxies.provenance["painter"]
    mass = galaxies["stellar_mass"].copy()
    mass[0] *= np.float32(1 + 1e-5)
    shifted = galaxies.with_columns(stellar_mass=mass)
    expected = painter["prediction"]["expected_centrals"]
    verdicts = {}
    for name, device, factor in (
        ("near", "cuda", 1 + 5e-5),
        ("far", "cuda", 1.01),
        ("same", "cpu", 1.0),
    ):
        prediction = {**painter["prediction"], "expected_centrals": expected * factor}
        stated = {**painter, "device": device, "prediction": prediction}
        mockgal.write(shifted.with_provenance(painter=stated), tmp_path / f"{name}.fits")
        found = reproduce(tmp_path / f"{name}.fits")
        verdicts[name] = found.mocks[0].verdict
        assert (found.error() is None) == (name == "near")
    assert verdicts == {"near": "within tolerance", "far": "different", "same": "different"}


def test_threads(mock, monkeypatch):
    monkeypatch.setattr("mockgal.painters.blocks.LARGE", 1)  # or the demo is painted in one
    path = mock()
    for number in (1, 3):
        assert reproduce(path, threads=number).is_identical
    with using(3):
        assert threads() == 3
    with pytest.raises(UsageError, match="--threads"):
        reproduce(path, threads=0)


# ---- the commands


def test_commands(mock, mockgal_command, tmp_path):
    mock("a.fits")
    result = mockgal_command("verify", "a.fits")
    assert result.returncode == 0
    assert "a.fits: 10 right" in result.stdout
    result = mockgal_command("reproduce", "a.fits", "--out", "b.fits", "--json")
    report = json.loads(result.stdout)
    assert (report["is_identical"], report["mocks"][0]["same_file"]) == (True, True)
    assert mockgal_command("reproduce", "a.fits", "--out", "b.fits").returncode == 2
    raw = bytearray((tmp_path / "a.fits").read_bytes())
    raw[-3000] ^= 1
    (tmp_path / "a.fits").write_bytes(raw)
    (tmp_path / "c.txt").write_text("no mock")
    result = mockgal_command("verify", "b.fits", "a.fits", "c.txt", "--json")
    report = json.loads(result.stdout)
    assert (result.returncode, report["is_right"]) == (3, False)
    assert [one["is_right"] for one in report["verified"]] == [True, False, False]
    assert "error[E311]" in result.stderr
    assert mockgal_command("reproduce", "a.fits").returncode == 3
    galaxies = mockgal.read_galaxies(tmp_path / "b.fits")
    other = galaxies.with_provenance(
        seed=5, made_with={**galaxies.provenance["made_with"], "numpy": "1.0"}
    )
    mockgal.write(other.with_columns(vmax=galaxies["vmax"] * 2), tmp_path / "d.fits")
    result = mockgal_command("reproduce", "d.fits")
    assert result.returncode == 8
    assert "numpy 1.0, now" in result.stdout
    assert "vmax: " in result.stdout
    assert "error[E802]" in result.stderr
    assert "install the versions of numpy" in result.stderr


def test_what_inspect_shows(painted_by_the_network, mockgal_command):
    result = mockgal_command("inspect", painted_by_the_network)
    for text in ("SHA-256", "numpy", "torch", "weights gadget4-demo, which comes", "in tiles of"):
        assert text in result.stdout


def test_what_is_no_number_in_both_is_no_difference(mock):
    """As the rank of galaxies that have none."""
    galaxies = mockgal.read_galaxies(mock())
    some = np.where(np.arange(len(galaxies)) % 2, np.nan, galaxies["vmax"]).astype("f4")
    one = galaxies.with_columns(vmax=some)
    assert compare_catalogues(one, one, "h").differences == ()
    some = some.copy()
    some[0] += 1.0
    (found,) = compare_catalogues(one, one.with_columns(vmax=some), "h").differences
    assert (found.column, found.rows) == ("vmax", 1)
    assert found.largest == pytest.approx(1.0)
