"""Builds in parts: the same bytes as at once, whatever is stopped, damaged or changed between."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import mockgal
from mockgal.errors import CorruptFileError, IncompleteError, MockgalError, UsageError
from mockgal.recipe import check
from mockgal.tasks.parts import paint, prepare
from mockgal.tasks.parts.merge import merge
from mockgal.tasks.parts.paint import build_parts
from mockgal.tasks.parts.place import Parts, Place
from mockgal.tasks.parts.scenes import rows_of_parts
from mockgal.tasks.parts.status import clean, status
from mockgal.tasks.parts.store import load, save
from mockgal.writers.bundle import write_bundle

ANY = {"allow_extrapolation": True}
ZHENG = {**ANY, "model": "zheng07", "threshold": -19.0, "stellar_mass_law": "moster13"}
ABACUS = "logM_cut=11.5 log10(Msun/h), sigma=0.3, logM1=12 log10(Msun/h), kappa=0.5, alpha=1"
ABACUS = {
    **ANY,
    "model": "abacushod",
    "stellar_mass_law": "moster13",
    "parameters": f"{ABACUS}, alpha_c=0.3, alpha_s=0.9",
}
LEAUTHAUD = {**ANY, "model": "leauthaud11", "luminosity_floor": "1e9 Msun/h"}
SHAM = {**ANY, "proxy": "vmax", "mass_function": "baldry2012", "scatter": "0.1 dex"}
SURROUNDINGS = {"assembly_bias": "environment", "environment_radius": "4 Mpc/h"}
BUILDS = {
    "hod": {},
    "hod-paper": {"painter_options": {"mode": "paper"}},
    "hod-ranked": {"painter_options": {"rank_by": "vmax", "rank_correlation": 0.6}},
    "zheng07": {"painter_options": ZHENG},
    "leauthaud11": {"painter_options": LEAUTHAUD},
    "abacushod": {"painter_options": ABACUS},
    "assembly-bias": {"painter_options": {**ZHENG, **SURROUNDINGS, "parameters": "A_cen=0.5"}},
    "sham": {"painter": "sham", "painter_options": SHAM},
    "smhm": {"painter": "smhm", "painter_options": {**ANY, "relation": "moster2013"}},
    "populate-hod": {"sim": "hosts.hdf5", "populate": True},
    "populate-leauthaud11": {
        "sim": "hosts.hdf5",
        "populate": True,
        "painter_options": LEAUTHAUD,
    },
    "populate-abacushod": {"sim": "hosts.hdf5", "populate": True, "painter_options": ABACUS},
    "cuts": {"cut": ["stellar_mass > 3e9 Msun/h", "rank(stellar_mass) <= 50"], "units": "h"},
    "parquet": {"out": "mock.parquet"},
    "redshift-space": {"survey": {"redshift_space": "z", "number_density": "0.02 h^3/Mpc^3"}},
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, demo_bundle):
    """Work in a folder of its own with the demo, and its hosts alone."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(demo_bundle, "dark.hdf5")
    return tmp_path


def recipe(**values):
    plain = {"sim": "dark.hdf5", "painter": "hod", "seed": 7, "drop_bad": True, "out": "mock.fits"}
    return check(plain | values, "a test")


def hosts_alone():
    sim = mockgal.read("dark.hdf5")
    hosts = sim.halos.take(np.flatnonzero(sim.halos["is_central"]))
    write_bundle(mockgal.types.Scene(sim.snapshot, hosts), Path("hosts.hdf5"))


@pytest.fixture
def at_once():
    """Return the bytes of a mock that is built at once, of which no trace is left."""

    def make(**values):
        report = mockgal.build(recipe(**values))
        text = report.path.read_bytes()
        report.path.unlink()
        Path(f"{report.path}.run.json").unlink()
        return text, report

    with mockgal.errors.listening(quiet=True):
        yield make


@pytest.mark.slow_but("hod-ranked", "abacushod", "sham")
@pytest.mark.parametrize("name", BUILDS)
def test_parts_give_the_mock_that_is_built_at_once(name, at_once):
    if "sim" in BUILDS[name]:
        hosts_alone()
    text, report = at_once(**BUILDS[name])
    for n in (1, 7):
        place, made = build_parts(recipe(**BUILDS[name]), Parts.of(f"1-{n}/{n}"))
        assert sum(one.galaxies for one in made) == report.galaxies.provenance["painted"]
        merged = merge(report.path)
        assert merged.digests == report.digests
        assert report.path.read_bytes() == text  # provenance and warnings, too
        assert not place.folder.exists()
        report.path.unlink()
        Path(f"{report.path}.run.json").unlink()


def test_surveys_of_several_snapshots(at_once):
    cone = {"redshifts": [0.0005, 0.002], "snapshots": [{"sim": "later.hdf5"}]}
    sim = mockgal.read("dark.hdf5")
    later = sim.snapshot.__class__(**{**sim.snapshot.__dict__, "redshift": 0.001})
    write_bundle(mockgal.types.Scene(later, sim.halos), Path("later.hdf5"))
    values = {"survey": {"light_cone": cone}, "painter_options": ANY}
    text, report = at_once(**values)
    assert len(report.galaxies)
    build_parts(recipe(**values), Parts.of("1-3/3"))
    assert merge(report.path).digests == report.digests
    assert report.path.read_bytes() == text


def test_parts_hold_whole_hosts_in_the_order_of_ids():
    halos = mockgal.read("dark.hdf5").halos
    halos = halos.take(np.random.default_rng(1).permutation(len(halos)))
    parts = rows_of_parts(halos, 5)
    assert sorted(np.concatenate(parts)) == list(range(len(halos)))
    hosts = [np.unique(halos["host_id"][rows]) for rows in parts]
    assert np.array_equal(np.concatenate(hosts), np.unique(halos["host_id"]))
    assert max(map(len, hosts)) - min(map(len, hosts)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "2-1/3", "1", "a/b", "1/0", "1-/3", "1/3/3", ""])
def test_what_is_no_part(text):
    with pytest.raises(UsageError, match="--part"):
        Parts.of(text)


def test_the_simulation_is_read_once_and_finished_parts_are_kept(monkeypatch):
    read, calls = prepare.Work.read, []
    monkeypatch.setattr(prepare.Work, "read", lambda *args: calls.append(args) or read(*args))
    with mockgal.errors.listening(quiet=True):
        place, _ = build_parts(recipe(), Parts.of("2/3"))
        build_parts(recipe(), Parts.of("1/3"))
        assert len(calls) == 1
        _, made = build_parts(recipe(), Parts.of("1-3/3"))
    assert [one.kept for one in made] == [True, True, False]
    assert len(calls) == 1
    (progress,) = status(Path())
    assert (progress.finished, progress.missing, progress.total) == ((1, 2, 3), (), 3)
    assert progress.out == place.out == Path("mock.fits")


def test_another_configuration_has_parts_of_its_own():
    with mockgal.errors.listening(quiet=True):
        places = {build_parts(recipe(**v), Parts.of("1/2"))[0].folder for v in ({}, {"seed": 8})}
        places |= {build_parts(recipe(), Parts.of("1/3"))[0].folder}
        places |= {Place.of(recipe(sim="hosts.hdf5"), 2).folder}
    assert len(places) == 4
    with pytest.raises(UsageError, match="parts of 3 builds"):
        merge(Path("mock.fits"))


def test_parts_of_inputs_that_changed_are_made_again(at_once):
    build_parts(recipe(), Parts.of("1-3/3"))
    os.utime("dark.hdf5")  # the same file, as far as anybody can tell only by reading it
    with pytest.raises(IncompleteError, match="changed since"):
        merge(Path("mock.fits"))
    with mockgal.errors.listening(quiet=True) as texts:
        _, made = build_parts(recipe(), Parts.of("3/3"))
    assert any("changed since it was read" in text for text in texts)
    hosts_alone()
    os.replace("hosts.hdf5", "dark.hdf5")  # others
    _, made = build_parts(recipe(), Parts.of("3/3"))
    assert not made[0].kept
    with pytest.raises(IncompleteError, match="made from other inputs: 1, 2"):
        merge(Path("mock.fits"))
    _, made = build_parts(recipe(), Parts.of("1-3/3"))
    assert [one.kept for one in made] == [False, False, True]
    merge(Path("mock.fits"))
    there = Path("mock.fits").read_bytes()
    Path("mock.fits").unlink()
    Path("mock.fits.run.json").unlink()
    assert there == at_once()[0]


@pytest.mark.slow_but("truncated")
@pytest.mark.parametrize("what", ["part-2-of-3.hdf5", "halos-2-of-3.hdf5", "whole.hdf5"])
@pytest.mark.parametrize("how", ["truncated", "changed", "gone"])
def test_damage_is_found_and_mended(at_once, what, how):
    text, report = at_once()
    place, _ = build_parts(recipe(), Parts.of("1-3/3"))
    path = place.folder / what
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 64
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if how == "truncated" else data)
    if not what.startswith("halos"):
        with pytest.raises(IncompleteError) as raised:
            merge(report.path)
        assert raised.value.exit_code == 7
        assert "1-3/3" in str(raised.value) or "--part" in str(raised.value)
        assert not report.path.exists()
    place.part(2).unlink(missing_ok=True)  # so that its halos are needed
    build_parts(recipe(), Parts.of("1-3/3"))
    merge(report.path)
    assert report.path.read_bytes() == text


def test_every_byte_of_a_file_is_checked(folder):
    arrays = {"a": np.arange(5.0), "b": np.zeros((0, 3), np.float32), "c/d": np.array([True])}
    save(folder / "x.hdf5", arrays, {"n": 1, "inf": float("inf")})
    stored, facts = load(folder / "x.hdf5")
    assert facts == {"n": 1, "inf": float("inf")}
    for name, values in arrays.items():
        assert stored[name].dtype == values.dtype
        assert np.array_equal(stored[name], values)
    with pytest.raises(CorruptFileError):
        load(folder / "none.hdf5")


def test_a_part_that_fails_is_named(monkeypatch):
    painted = paint._painted

    def poisoned(scene, *more):
        if 1 in parts and scene.halos["halo_id"].min() == parts[1]:
            raise mockgal.errors.BadValueError("host_mass", "poison", "a mass", "none")
        return painted(scene, *more)

    halos = mockgal.read("dark.hdf5", drop_bad=True).halos
    parts = dict(enumerate(halos["halo_id"][rows].min() for rows in rows_of_parts(halos, 3)))
    monkeypatch.setattr(paint, "_painted", poisoned)
    with mockgal.errors.listening(quiet=True):
        with pytest.raises(IncompleteError, match=r"part 2 of 3.*poison") as raised:
            build_parts(recipe(), Parts.of("1-3/3"))
        assert raised.value.exit_code == 7
        with pytest.raises(mockgal.errors.BadValueError, match=r"part 2 of 3.*poison"):
            build_parts(recipe(), Parts.of("2/3"))
    assert status(Path("mock.fits"))[0].finished == (1,)


def test_what_cannot_be_built_in_parts():
    with pytest.raises(UsageError, match="matter around subhalos"):
        build_parts(
            recipe(painter="cnn", painter_options={"weights": "gadget4-demo"}), Parts(1, 1, 2)
        )
    with pytest.raises(UsageError, match="seed"):
        build_parts(recipe(out="mock-{seed}.fits"), Parts(1, 1, 2))
    Path("mock.fits").write_text("mine")
    with pytest.raises(MockgalError, match="a file of this name"):
        build_parts(recipe(), Parts(1, 1, 2))
    assert not list(Path().glob("*.parts-*"))


# As users run them.

OPTIONS = ["build", "--sim", "dark.hdf5", "--painter", "hod", "--seed", "7", "--drop-bad"]
OPTIONS += ["--out", "mock.fits"]


def facts(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_commands(mockgal_command, at_once):
    text, report = at_once()
    result = mockgal_command("merge", "mock.fits")
    assert result.returncode == 2
    assert "no parts of this mock" in result.stderr
    shown = mockgal_command(*OPTIONS, "--part", "2/3")
    assert "2 of 3:" in shown.stdout
    result = mockgal_command("merge", "mock.fits")
    assert result.returncode == 7
    assert "missing: 1, 3" in result.stderr
    (build,) = facts(mockgal_command("status", "--json"))["builds"]
    assert (build["finished"], build["missing"]) == ([2], [1, 3])
    facts(mockgal_command(*OPTIONS, "--part", "1-3/3", "--json"))
    merged = facts(mockgal_command("merge", "mock.fits", "--keep-parts", "--json"))
    assert merged["content_digest"] == report.digests[0]
    assert report.path.read_bytes() == text
    assert mockgal.verify("mock.fits").is_right
    assert mockgal_command("merge", "mock.fits").returncode == 2  # it exists
    assert "removed" in mockgal_command("clean", "--remove").stdout
    with pytest.raises(UsageError, match="no such folder"):
        clean(Path("none"))
    with pytest.raises(UsageError, match="no manifest"):
        status(Path("none.fits"))
    assert mockgal_command(*OPTIONS, "--part", "1/2", "--seed", "1-2").returncode == 2


def test_merging_needs_neither_the_simulation_nor_the_folder_it_was_built_in(at_once, folder):
    text, _ = at_once()
    build_parts(recipe(), Parts.of("1-2/2"))
    (folder / "elsewhere").mkdir()
    (place,) = folder.glob("*.parts-*")
    os.replace(place, folder / "elsewhere" / place.name)
    os.unlink("dark.hdf5")
    merge(folder / "elsewhere/mock.fits")
    assert (folder / "elsewhere/mock.fits").read_bytes() == text


def run(*words, code="", limit=None):
    """Run the command in a process of its own, after some code."""

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    program = f"from mockgal.cli import main\n{code}\nmain({list(words)!r})"
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        preexec_fn=limited if limit else None,
    )


STOPPED = """
import os
from mockgal.tasks.parts import store
put, calls = store.Store.put, []
def stopping(*args):
    calls.append(1)
    if len(calls) == {at}:
        os.kill(os.getpid(), {number})
    return put(*args)
store.Store.put = stopping
"""


@pytest.mark.slow_but("60-9", "60-15")
@pytest.mark.parametrize(("at", "number"), [(20, 9), (60, 9), (60, 15)])
def test_a_run_that_is_stopped_goes_on(at_once, at, number):
    text, report = at_once()
    result = run(*OPTIONS, "--part", "1-3/3", code=STOPPED.format(at=at, number=number))
    assert result.returncode == (143 if number == signal.SIGTERM else -number)
    result = run(*OPTIONS, "--part", "1-3/3")
    assert result.returncode == 0, result.stderr
    merge(report.path)
    assert report.path.read_bytes() == text
    assert [one.path.name for one in clean(Path())] == []


def test_a_full_disk_leaves_the_old_mock():
    with mockgal.errors.listening(quiet=True):
        build_parts(recipe(), Parts.of("1-3/3"))
    Path("mock.fits").write_text("old")
    result = run("merge", "mock.fits", "--overwrite", limit=30_000)
    assert result.returncode == 5, result.stderr
    assert Path("mock.fits").read_text() == "old"
    assert len(status(Path())[0].finished) == 3
    result = run(*OPTIONS, "--overwrite", "--part", "1/4", limit=3_000)
    assert result.returncode == 5, result.stderr


@pytest.mark.slow
def test_parts_that_start_together_read_once(at_once):
    text, report = at_once()
    jobs = [
        subprocess.Popen(
            [sys.executable, "-m", "mockgal", *OPTIONS, "--quiet", "--part", f"{i}/3"],
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in (1, 2, 3)
    ]
    said = [job.communicate(timeout=120)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0], said
    assert sum("it is for demonstration" in text for text in said) == 1  # what the reader says
    merge(report.path)
    assert report.path.read_bytes() == text


def test_a_part_waits_for_another_that_describes_the_build(folder):
    place = Place.of(recipe(), 3)
    place.folder.mkdir()
    described, held = place.folder / "build.json", threading.Event()

    def other():
        with mockgal.system.files.lock.output_lock(described):
            held.set()
            time.sleep(0.3)  # its file is not there yet

    run_beside = threading.Thread(target=other)
    run_beside.start()
    assert held.wait(10)
    place.make()
    run_beside.join()
    assert Place.at(place.folder) == place


def test_clean_leaves_what_a_run_uses(folder):
    left = folder / f".mock.fits.{'0' * 32}.part.fits"
    left.write_text("half")
    with mockgal.system.files.lock.output_lock(folder / "other.fits"):
        other = folder / f".other.fits.{'1' * 32}.part.fits"
        other.write_text("half")
        found = {one.path.name: one for one in clean(folder, remove=True)}
        assert found[left.name].removed
        assert found[other.name].in_use
        assert other.exists()
    (folder / ".theirs.lock").write_text("another program's")
    assert {one.path for one in clean(folder, remove=True)} == {other}
    assert (folder / ".theirs.lock").exists()


@pytest.mark.slow
def test_killed_at_twenty_random_moments(at_once):
    text, report = at_once()
    chance, kills = random.Random(1), 0
    while kills < 20:
        job = subprocess.Popen(
            [sys.executable, "-m", "mockgal", *OPTIONS, "--quiet", "--part", "1-40/40"],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.3, 2.5))
        kills += job.poll() is None
        job.kill()
        if job.wait() == 0:  # it was finished: from the beginning
            shutil.rmtree(next(iter(Path().glob("*.parts-*"))))
    build_parts(recipe(), Parts.of("1-40/40"))
    merge(report.path)
    assert report.path.read_bytes() == text
