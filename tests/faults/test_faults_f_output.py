"""Faults 52-61: writing under failure; 70, 72: what is written for hostile names.

The writers run in forked processes that output_faults.py ends or hurts at each of their calls.
"""

import contextvars
import errno
import fcntl
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from astropy.io import fits
from read_faults import catalogue as input_files

from mockgal.errors import (
    MockgalError,
    MockgalWarning,
    OutputError,
    OutputExistsError,
    ResourceError,
    UsageError,
)
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import read as read_scene
from mockgal.recipe import Recipe
from mockgal.registry import load
from mockgal.system.files.atomic import atomic_output, check_output
from mockgal.system.files.lock import output_lock
from mockgal.tasks import build as pipeline
from mockgal.types import SourceFile
from mockgal.writers.bundle import write_bundle
from mockgal.writers.provenance import sidecar_path, write_sidecar

sys.path.insert(0, str(Path(__file__).parents[1] / "writers"))
from write_samples import catalogue, matter_scene

HARNESS = Path(__file__).parent / "output_faults.py"
CASES = ("fits", "hdf5", "parquet", "fits.gz", "bundle", "sidecar", "build")
# What is killed and interrupted many times: fits.gz differs from fits in what is written alone.
OFTEN = [pytest.param(c, marks=pytest.mark.slow) if c == "fits.gz" else c for c in CASES]
OFTEN.append("together")


def names(folder):
    return sorted(os.listdir(folder))


def python(code, *arguments, **options):
    """A Python process that runs ``code``, its output piped."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def hurt(fault, case, folder, mount=""):
    """What output_faults.py reports; ``mount`` is done before, in a namespace of its own."""
    command = [sys.executable, str(HARNESS), fault, case, str(folder)]
    if mount:
        command = mounted(f'{mount} && exec "$@"', *command[1:])
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["problems"] == []
    return report


def _namespace():
    """A command that gives another its own view of the mounts; empty where that is forbidden."""
    for options in (["--mount"], ["--mount", "--map-root-user"]):
        command = ["unshare", *options]
        try:
            test = [*command, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/tmp"]
            if subprocess.run(test, capture_output=True, timeout=20).returncode == 0:
                return command
        except (OSError, subprocess.TimeoutExpired):
            pass
    return []


NAMESPACE = _namespace()


def mounted(script, *arguments):
    """A command: the shell ``script`` in a namespace, Python with the arguments as its "$@"."""
    words = [sys.executable, *map(str, arguments)]
    return [*NAMESPACE, "sh", "-c", script, "sh", *words]


mounts = pytest.mark.skipif(not NAMESPACE, reason="no mounts may be made here (unshare)")


@pytest.fixture
def tmpfs(tmp_path):
    """A command that mounts a small disk on a folder, and the folder."""

    def make(size):
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        return f"mount -t tmpfs -o size={size} tmpfs '{folder}'", folder

    return make


@pytest.fixture(scope="module")
def made():
    """What the writers write: a catalogue and a scene."""
    return catalogue(300), matter_scene(500)


@pytest.fixture(params=["fits", "hdf5", "parquet", "fits.gz", "bundle", "sidecar"])
def writer(request, made):
    """One of the writers: ``(path, overwrite=..., inputs=...)``; and the extension of its files."""
    galaxies, scene = made
    if request.param == "bundle":

        def write(path, *, overwrite=False, inputs=()):
            source = tuple(SourceFile(str(item), 0, "") for item in inputs)
            write_bundle(
                replace(scene, snapshot=replace(scene.snapshot, source=source)),
                path,
                overwrite=overwrite,
            )

    elif request.param == "sidecar":

        def write(path, *, overwrite=False, inputs=()):
            assert not inputs, "a build checks the sidecar with its catalogue"
            output = path.with_name(path.name.removesuffix(".run.json"))
            assert sidecar_path(output) == path
            write_sidecar(output, {"seconds": 1.0}, overwrite=overwrite)

    else:

        def write(path, **options):
            load("writers", request.param)().write(galaxies, path, **options)

    write.extension = {"bundle": ".hdf5", "sidecar": ".fits.run.json"}.get(
        request.param, f".{request.param}"
    )
    write.kind = request.param
    return write


@pytest.fixture
def recipe(tmp_path, demo_bundle):
    """A function that gives the recipe of a build of the demonstration."""

    def make(out=tmp_path / "a.fits", **options):
        return Recipe(sim=demo_bundle, painter="hod", out=out, **options)

    return make


# ---- 52, 53: space


@pytest.mark.slow_but("build", "hdf5")
@mounts
@pytest.mark.fault(52)
@pytest.mark.parametrize("case", CASES)
def test_the_disk_is_full(case, tmpfs):
    """A disk of 16 MB that another program fills, to various degrees, once the file is begun."""
    mount, folder = tmpfs("16m")
    report = hurt("full", case, folder, mount)
    assert set(report["seen"]) == {"old"}
    assert 0 in report["keeps"]


@pytest.mark.slow_but("bundle")
@pytest.mark.fault(52)
@pytest.mark.parametrize("case", CASES)
def test_no_file_may_grow(case, tmp_path, exit_code):
    """A limit on the size of files: the nearest to a full disk that needs no privileges."""
    report = hurt("limited", case, tmp_path)
    assert report["codes"] == [exit_code]
    assert set(report["seen"]) == {"old"}
    assert len(report["limits"]) >= 3


@mounts
@pytest.mark.fault(52)
def test_the_disk_is_full_when_the_catalogue_is_in_place(tmpfs):
    mount, folder = tmpfs("16m")
    report = hurt("full_at_the_end", "build", folder, mount)
    assert report["code"] == 0
    assert "not written" in report["text"]
    assert report["seen"] == ["a sidecar that tells another digest"]


@pytest.mark.fault(53)
def test_predicted_shortfall(writer, tmp_path, monkeypatch, exit_code):
    path = tmp_path / f"a{writer.extension}"
    path.write_text("old")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 5000))
    with pytest.raises(ResourceError, match=r"5000 bytes free.*Fix: ") as caught:
        writer(path, overwrite=True)
    assert caught.value.exit_code == exit_code
    assert path.read_text() == "old"
    assert names(tmp_path) == [path.name]


@pytest.mark.fault(53)
@pytest.mark.parametrize("free", [5000, (1 << 20) + 5000])
def test_predicted_shortfall_of_a_build(recipe, tmp_path, monkeypatch, exit_code, free):
    """Before reading, where nothing fits; before painting, where so many rows do not."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, free))
    monkeypatch.setattr(pipeline, "paint", None)
    if free == 5000:
        monkeypatch.setattr(pipeline, "read", None)
    with pytest.raises(ResourceError, match=f"{free} bytes free") as caught:
        pipeline.build(recipe())
    assert caught.value.exit_code == exit_code
    assert names(tmp_path) == []


@mounts
@pytest.mark.fault(53)
@pytest.mark.parametrize("command", ["build", "pack"])
def test_a_small_disk(command, tmpfs, demo_bundle, exit_code):
    """Nothing is left on it, and the message says how much there should be."""
    mount, folder = tmpfs("1m")
    words = {"build": ["--sim", demo_bundle, "--painter", "hod"], "pack": ["--sim", demo_bundle]}[
        command
    ]
    done = subprocess.run(
        mounted(
            f"{mount}; \"$@\"; echo $?; ls -A '{folder}'",
            *("-m", "mockgal", command, *words, "--out", folder / "a.hdf5"),
        ),
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{exit_code}\n"
    assert re.fullmatch(r"mockgal: error\[E601\] .* bytes free .* Fix: .*\n", done.stderr)


# ---- 54, 55: the end at any moment


@pytest.mark.slow_but("hdf5")
@pytest.mark.fault(54)
@pytest.mark.parametrize("case", OFTEN)
def test_kill_9(case, tmp_path):
    """Before each call that changes something, and in the midst of writes.

    After each the old file or the new one is there, whole; a second run succeeds, and nothing that
    the first left stays.
    """
    report = hurt("kill", case, tmp_path)
    steps = [name for name in report["calls"] if name in ("write", "fsync", "replace")]
    one = ["write", "fsync", "replace", "fsync"]  # on the disk before and after the renaming
    steps = [name for name, former in zip(steps, ["", *steps], strict=False) if name != former]
    three = [*one[:2] * 3, *one[2:] * 3]
    assert steps == {"build": one * 2, "together": three}.get(case, one)
    assert len(report["seen"]) == len(report["numbers"]) >= 12
    assert (report["numbers"][0], report["numbers"][-1]) == (1, len(report["calls"]))
    assert {"old", "new"} <= set(report["seen"])
    assert report["strays"] != []  # or nothing was killed amid its work
    known = {"old", "new"}
    known |= {"build": {"a sidecar that tells another digest"}}.get(case, set())
    known |= {"together": {"what is beside the galaxies"}}.get(case, set())
    assert set(report["seen"]) == known


@pytest.mark.fault(54)
def test_what_a_killed_run_left_is_removed_and_recorded(recipe, tmp_path):
    out = tmp_path / "a.fits"
    part, other = f".a.fits.{'0' * 32}.part.fits", f".b.fits.{'0' * 32}.part.fits"
    beside = f".a.fits.run.json.{'1' * 32}.part.json"
    for name in (part, beside, other, ".a.fits.mine.part.fits"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".a.fits.lock").write_text('{"host": "node7", "pid": 12}')
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")  # the calibration has something to say, too
        pipeline.build(recipe())
    messages = [str(w.message) for w in told if "cleaned up" in str(w.message)]
    assert [str(out) in text for text in messages] == [True, True]
    assert f"the lock of process 12 on host node7, {part}" in messages[0]
    assert beside in messages[1]
    facts = json.loads(sidecar_path(out).read_text())
    assert facts["cleaned_up"] == ["the lock of process 12 on host node7", part, beside]
    assert names(tmp_path) == [".a.fits.mine.part.fits", other, "a.fits", "a.fits.run.json"]
    # It is of the run, not of the catalogue, which is the same as ever.
    content = out.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.build(recipe(overwrite=True))
    assert out.read_bytes() == content
    assert json.loads(sidecar_path(out).read_text())["cleaned_up"] == []


@pytest.mark.slow_but("fits", "sidecar")
@pytest.mark.fault(55)
@pytest.mark.parametrize("case", OFTEN)
def test_signals(case, tmp_path):
    """SIGTERM and SIGINT at each call: exit code 143 and 130, and nothing is left behind."""
    report = hurt("interrupt", case, tmp_path)
    assert len(report["seen"]) == len(report["numbers"]) >= 12
    assert {"old", "new"} <= set(report["seen"])
    assert "half" not in report["seen"]


@pytest.mark.fault(55)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_in_the_work(number, tmp_path, demo_bundle, exit_codes):
    """While it reads, the run holds its lock; that is gone, too."""
    with working("build", demo_bundle, tmp_path / "a.fits") as run:
        assert names(tmp_path) == [".a.fits.lock", ".a.fits.run.json.lock"]
        run.send_signal(number)
        _, errors = run.communicate(timeout=30)
    assert run.returncode == 128 + number
    assert run.returncode in exit_codes
    assert "Traceback" not in errors
    assert names(tmp_path) == []


# ---- 56: permission


@pytest.mark.slow_but("hdf5", "bundle")
@pytest.mark.fault(56)
@pytest.mark.parametrize("case", CASES)
def test_a_folder_without_permission(case, exit_code):
    """As a user other than root, whom permissions do not hold back."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        os.chmod(folder, 0o755)
        place = Path(folder) / "here"
        place.mkdir()
        report = hurt("forbidden", case, place)
    assert report["code"] == exit_code
    assert "no permission" in report["text"]
    assert "Fix: " in report["text"]
    assert report["calls"] == []  # nothing was tried
    assert report["seen"] == ["old"]


@mounts
@pytest.mark.fault(56)
@pytest.mark.parametrize("command", ["build", "pack"])
def test_a_read_only_disk(command, tmpfs, demo_bundle, exit_code):
    mount, folder = tmpfs("8m")
    code = """
        import sys
        sys.path.insert(0, sys.argv.pop(1))
        from output_faults import no_work
        from mockgal.cli import main
        no_work()
        main()
    """
    words = {"build": ["--sim", demo_bundle, "--painter", "hod"], "pack": ["--sim", demo_bundle]}[
        command
    ]
    done = subprocess.run(
        mounted(
            f"{mount}; mount -o remount,ro '{folder}'; exec \"$@\"",
            *("-c", textwrap.dedent(code), HARNESS.parent),
            *(command, *words, "--out", folder / "a.hdf5"),
        ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == exit_code, done.stderr
    assert re.fullmatch(r"mockgal: error\[E501\] .*no permission.* Fix: .*\n", done.stderr)


# ---- 57: two runs


WORKING = """
    import sys, time
    from mockgal.tasks import build, pack
    from mockgal.cli import main
    real = build.read
    def read(*arguments, **options):
        print("reading", flush=True)
        sys.stdin.readline()
        return real(*arguments, **options)
    pack.read = build.read = read
    main()
"""


def working(command, sim, out):
    """A run that has begun to read, and goes on at a line of input."""
    words = ["--sim", sim, "--painter", "hod"] if command == "build" else ["--sim", sim]
    run = python(WORKING, command, *words, "--out", out)
    assert run.stdout.readline() == "reading\n", run.communicate()
    return run


@pytest.mark.slow_but("pack")
@pytest.mark.fault(57)
@pytest.mark.parametrize(("command", "name"), [("build", "a.fits"), ("pack", "a.hdf5")])
def test_two_runs(command, name, tmp_path, demo_bundle, mockgal_command, exit_code):
    """The second is refused before it reads; the first ends well."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "link").symlink_to(tmp_path)
    with working(command, demo_bundle, tmp_path / name) as first:
        for out in (tmp_path / name, Path(name), tmp_path / "sub" / "link" / name):
            words = ["--sim", "/no/such/simulation", "--painter", "hod"]
            words = words if command == "build" else words[:2]
            second = mockgal_command(command, *words, "--out", out)
            assert second.returncode == exit_code
            assert f"process {first.pid} on host {socket.gethostname()}" in second.stderr
            assert "Fix: wait for that run" in second.stderr
        with pytest.raises(OutputError, match=f"process {first.pid} ") as caught:
            load("writers", "hdf5")().write(catalogue(3), tmp_path / name)
        assert caught.value.exit_code == exit_code
        other = mockgal_command("pack", "--sim", demo_bundle, "--out", "other.hdf5")
        assert other.returncode == 0, other.stderr
        _, errors = first.communicate("\n", timeout=60)
    assert first.returncode == 0, errors
    assert name in names(tmp_path)
    assert not [found for found in names(tmp_path) if found.startswith(".")]


@pytest.mark.fault(57)
@pytest.mark.parametrize("fork", [False, True])
def test_the_lock_ends_with_its_holder(fork, tmp_path, made):
    """However that ends, and also if it leaves a worker process behind."""
    path = tmp_path / "a.fits"
    code = """
        import os, sys, time
        from pathlib import Path
        from mockgal.system.files.lock import output_lock
        with output_lock(Path(sys.argv[1])):
            worker = os.fork() if sys.argv[2] == "True" else 1
            if worker == 0:
                time.sleep(60)
            print(worker, flush=True)
            time.sleep(60)
    """
    with python(code, path, fork) as holder:
        worker = int(holder.stdout.readline())
        try:
            with pytest.raises(OutputError, match=f"process {holder.pid} "):
                write_sidecar_like(path)
            holder.kill()
            holder.wait()
            with pytest.warns(MockgalWarning, match=f"the lock of process {holder.pid} on host"):
                load("writers", "fits")().write(made[0], path)
        finally:
            if fork:
                os.kill(worker, signal.SIGKILL)
    assert names(tmp_path) == ["a.fits"]


def write_sidecar_like(path):
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_text("new")


@pytest.mark.fault(57)
def test_threads_are_runs_too(tmp_path):
    path, told = tmp_path / "a.fits", []

    def run():
        try:
            write_sidecar_like(path)
        except OutputError as error:
            told.append(str(error))

    with output_lock(path):
        write_sidecar_like(path)  # its own lock is no obstacle
        thread = threading.Thread(target=contextvars.Context().run, args=(run,))
        thread.start()
        thread.join()
        assert f"process {os.getpid()} on host" in told[0]
        assert ".a.fits.lock" in names(tmp_path)
    run()
    assert len(told) == 1
    assert names(tmp_path) == ["a.fits"]


@pytest.mark.fault(57)
def test_a_file_of_another_kind_is_no_lock(tmp_path):
    lock = tmp_path / ".a.fits.lock"
    makers = {
        "text": lambda: lock.write_text("mine"),
        "hard link": lambda: ((tmp_path / "x").write_text("mine"), os.link(tmp_path / "x", lock)),
        "link": lambda: ((tmp_path / "y").write_text("mine"), lock.symlink_to(tmp_path / "y")),
        "pipe": lambda: os.mkfifo(lock),
        "folder": lock.mkdir,
    }
    for make in makers.values():
        make()
        with pytest.raises(OutputError, match=r"\.a\.fits\.lock.* Fix: "):
            write_sidecar_like(tmp_path / "a.fits")
        assert os.path.lexists(lock)
        if lock.is_file():
            assert lock.read_text() == "mine"
        lock.rmdir() if lock.is_dir() else lock.unlink()
    assert not (tmp_path / "a.fits").exists()


# ---- 58, 59: what is there already


@pytest.mark.fault(58)
@pytest.mark.parametrize("there", ["file", "link to nothing"])
def test_the_output_exists(writer, there, tmp_path, exit_code):
    path = tmp_path / f"a{writer.extension}"
    if there == "file":
        path.write_text("old")
    else:
        path.symlink_to(tmp_path / "nowhere")
    before = names(tmp_path)
    with pytest.raises(OutputExistsError, match="--overwrite") as caught:
        writer(path)
    assert caught.value.exit_code == exit_code
    assert names(tmp_path) == before
    assert there != "file" or path.read_text() == "old"
    writer(path, overwrite=True)
    assert not path.is_symlink()
    assert path.read_bytes() != b"old"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.fault(58)
def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    path = tmp_path / "a.fits"

    def write():
        with atomic_output(path, overwrite=False) as temporary:
            temporary.write_text("new")
            path.write_text("of another program")

    with pytest.raises(OutputExistsError):
        write()
    assert path.read_text() == "of another program"
    assert names(tmp_path) == ["a.fits"]


LINKS = {
    "itself": lambda source, path: source,
    "by another way": lambda source, path: source.parent / ".." / source.parent.name / source.name,
    "symbolic link": lambda source, path: path.symlink_to(source),
    "link to a link": lambda source, path: (
        path.with_name("between").symlink_to(source),
        path.symlink_to(path.with_name("between")),
    ),
    "hard link": lambda source, path: os.link(source, path),
    "in a linked folder": lambda source, path: (
        path.with_name("folder").symlink_to(source.parent),
        path.with_name("folder") / source.name,
    )[1],
}


@pytest.mark.fault(59)
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("writer", ["fits", "hdf5", "bundle"], indirect=True)
def test_the_output_is_an_input(writer, link, overwrite, tmp_path, exit_code):
    (tmp_path / "in").mkdir()
    source = tmp_path / "in" / f"dark{writer.extension}"
    source.write_text("input")
    made_path = LINKS[link](source, tmp_path / f"out{writer.extension}")
    path = made_path if isinstance(made_path, Path) else tmp_path / f"out{writer.extension}"
    with pytest.raises(UsageError, match="the input") as caught:
        writer(path, overwrite=overwrite, inputs=[tmp_path / "missing", source])
    assert caught.value.exit_code == exit_code
    assert source.read_text() == "input"
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.fault(59)
@pytest.mark.parametrize("command", ["build", "pack"])
@pytest.mark.parametrize("link", ["itself", "symbolic link", "hard link"])
def test_the_output_is_the_simulation(
    command, link, tmp_path, demo_bundle, mockgal_command, exit_code
):
    sim, out = tmp_path / "dark.hdf5", tmp_path / "out.hdf5"
    shutil.copy(demo_bundle, sim)
    out = LINKS[link](sim, out) or out
    before = names(tmp_path)
    words = ["--sim", sim, "--painter", "hod"] if command == "build" else ["--sim", sim]
    done = mockgal_command(command, *words, "--out", out, "--overwrite")
    assert done.returncode == exit_code
    assert "the input" in done.stderr
    assert sim.read_bytes() == demo_bundle.read_bytes()
    assert names(tmp_path) == before


@pytest.mark.fault(59)
@pytest.mark.parametrize("link", ["itself", "symbolic link", "hard link"])
def test_the_sidecar_is_the_simulation(link, tmp_path, demo_bundle, monkeypatch, exit_code):
    sidecar = tmp_path / "a.fits.run.json"
    sim = sidecar if link == "itself" else tmp_path / "dark.hdf5"
    shutil.copy(demo_bundle, sim)
    LINKS[link](sim, sidecar)
    monkeypatch.setattr(pipeline, "read", None)
    with pytest.raises(UsageError, match="the input") as caught:
        pipeline.build(Recipe(sim=sim, painter="hod", out=tmp_path / "a.fits", overwrite=True))
    assert caught.value.exit_code == exit_code
    assert sim.read_bytes() == demo_bundle.read_bytes()
    assert not (tmp_path / "a.fits").exists()


@mounts
@pytest.mark.fault(59)
@pytest.mark.parametrize("what", ["file", "folder"])
def test_the_output_is_mounted_from_the_input(what, tmp_path, exit_code):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    source, path = tmp_path / "in" / "dark.hdf5", tmp_path / "out" / "dark.hdf5"
    source.write_text("input")
    if what == "file":
        path.touch()
    code = """
        import sys
        from pathlib import Path
        from mockgal.errors import MockgalError
        from mockgal.system.files.atomic import atomic_output
        source, path = map(Path, sys.argv[1:])
        try:
            with atomic_output(path, overwrite=True, inputs=[source]) as temporary:
                temporary.write_text("new")
        except MockgalError as error:
            print(error)
            sys.exit(error.exit_code)
    """
    a, b = (source, path) if what == "file" else (source.parent, path.parent)
    done = subprocess.run(
        mounted(
            f"mount --bind '{a}' '{b}' && exec \"$@\"", "-c", textwrap.dedent(code), source, path
        ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == exit_code, done.stderr
    assert "the input" in done.stdout
    assert source.read_text() == "input"


# ---- 60, 70, 72: names

ODD_NAMES = (
    "größe 宇宙 é",
    os.fsdecode(b"not UTF-8 \xff"),
    "a b'c\"d$e`f;g&h\\i",
)
LITERAL_NAMES = (
    "a[1]",
    "a[GALAXIES]",
    "a[col x]",
    "!a",
    "|cat",
    "cat|",
    "mem:a",
    "file:a",
    "shmem:h7",
    "-",
    "stdin",
    "a.fits(b.fits)",
    "a.gz",
    "a+1",
    "%s{0}",
    "*?",
    "~",
    "$HOME",
)


def written(writer, folder, stem):
    """The bytes that are written to a name, which is the only one that comes to be."""
    path = folder / f"{stem}{writer.extension}"
    writer(path)
    assert os.listdir(folder) == [path.name]
    with open(os.fsencode(path), "rb") as file:
        return file.read()


@pytest.mark.fault(60)
@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_paths_beyond_ascii(writer, name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    (tmp_path / "plain").mkdir()
    assert written(writer, folder, name) == written(writer, tmp_path / "plain", "a")


@pytest.mark.fault(60)
@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_paths_beyond_ascii_through_the_command(demo_bundle, tmp_path, encoding, exit_code):
    """Also where the screen has no such letters: the name of the file has."""
    for name in ODD_NAMES[:2]:
        words = ["build", "--sim", demo_bundle, "--painter", "hod", "--out", f"{name}.fits"]
        done = subprocess.run(
            [sys.executable, "-m", "mockgal", *words],
            cwd=tmp_path,
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert done.returncode == exit_code, done.stderr
        assert b"Traceback" not in done.stderr
        assert [line for line in done.stdout.splitlines() if line.startswith(b"wrote")]
        assert {f"{name}.fits", f"{name}.fits.run.json"} <= set(names(tmp_path))


@pytest.mark.fault(60)
def test_text_beyond_ascii_in_a_fits_header(tmp_path):
    load("writers", "fits")().write(catalogue(3, name="Größe 宇宙"), tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", checksum=True) as hdus:
        assert hdus["GALAXIES"].header["SIMNAME"] == "see PROVENANCE"
        text = hdus["PROVENANCE"].data["json"][0]
    assert text.isascii()
    assert json.loads(text)["simulation"]["name"] == "Größe 宇宙"


HOSTILE = "x'\nSEED    =                    7\r\0\x7f\x1b[2J\u2028" + " " * 80 + "NGAL    = 3"


@pytest.mark.fault(70)
def test_control_bytes_cannot_add_cards(tmp_path):
    path = tmp_path / "a.fits"
    load("writers", "fits")().write(catalogue(2, name=HOSTILE, cuts=[{"cut": HOSTILE}]), path)
    with fits.open(path, checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus["GALAXIES"].header
        assert (header["SEED"], header["NGAL"]) == (42, 2)
        assert header.count("SEED") == header.count("NGAL") == 1
        text = hdus["PROVENANCE"].data["json"][0]
    raw = path.read_bytes()
    start, end = raw.index(b"XTENSION"), raw.index(b"END" + b" " * 77)
    assert {*range(32, 127)} >= set(raw[start:end])
    assert {*range(32, 127)} >= set(text.encode())
    assert json.loads(text)["simulation"]["name"] == HOSTILE


@pytest.mark.fault(70)
def test_control_bytes_in_hdf5_attributes(tmp_path):
    path = tmp_path / "a.hdf5"
    load("writers", "hdf5")().write(catalogue(2, name=HOSTILE), path)
    with h5py.File(path) as file:
        facts = dict(file.attrs)
    assert facts["seed"] == 42
    assert not {chr(n) for n in (*range(32), 127, 0x2028)} & set(facts["simulation"])
    assert json.loads(facts["provenance"])["simulation"]["name"] == HOSTILE


@pytest.mark.fault(70)
@pytest.mark.filterwarnings("ignore:.*no particle grid")
def test_control_bytes_in_a_bundle(tmp_path, made):
    """A bundle keeps the name, in full, and what is printed of it is escaped."""
    scene = replace(made[1], snapshot=replace(made[1].snapshot, name=HOSTILE))
    write_bundle(scene, tmp_path / "b.hdf5")
    assert read_scene(tmp_path / "b.hdf5", ReadOptions(), None).snapshot.name == HOSTILE


@pytest.mark.fault(70)
def test_control_bytes_in_the_name_of_the_output(build_demo, tmp_path, exit_code):
    name = "a\nmockgal: error[E000] forged\x1b[31m.fits"
    result = build_demo("--out", name)
    assert result.returncode == exit_code
    assert "\x1b" not in result.stdout + result.stderr
    assert not [x for x in result.stdout.splitlines() if x.startswith("mockgal: error")]
    assert names(tmp_path) == [name, f"{name}.run.json"]
    assert name in json.loads((tmp_path / f"{name}.run.json").read_text())["arguments"]
    refused = build_demo("--out", name)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.fault(72)
@pytest.mark.parametrize("name", LITERAL_NAMES)
def test_names_are_literal(writer, name, tmp_path):
    """Names that CFITSIO, astropy or a shell would take for more than a name."""
    for folder in ("there", "plain"):
        (tmp_path / folder).mkdir()
    content = written(writer, tmp_path / "there", name)
    assert content == written(writer, tmp_path / "plain", "a")
    if writer.kind == "fits":
        with fits.open(io.BytesIO(content)) as hdus:
            assert hdus["GALAXIES"].header["NAXIS2"] == 300


@pytest.mark.fault(72)
@pytest.mark.parametrize(
    "out", ["ftp://host/a.fits", "http://host/a.fits", "root://host//a.fits", "~/a.fits"]
)
def test_addresses_are_folders(out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="no directory") as caught:
        check_output(Path(out), False)
    assert "mkdir" in caught.value.fix
    subprocess.run(caught.value.fix, shell=True, check=True, cwd=tmp_path)
    load("writers", "fits")().write(catalogue(3), Path(out))
    assert [p.relative_to(tmp_path) for p in tmp_path.rglob("*.fits")] == [Path(out)]


@pytest.mark.fault(72)
@pytest.mark.parametrize("name", ["a.fits[1]", "a.fits.bz2", "a.fits|", "a.fits(b)", "a.fits[x>1]"])
def test_commands_after_the_extension_are_no_format(recipe, name, tmp_path):
    with pytest.raises(UsageError, match="extension"):
        pipeline.build(recipe(tmp_path / name))
    assert names(tmp_path) == []


# ---- 61: locks


@pytest.mark.fault(61)
def test_another_program_holds_the_lock_of_an_input(run, refused, monkeypatch):
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    file = input_files(run)[0]
    code = """
        import h5py, sys
        file = h5py.File(sys.argv[1], "r+")
        print("open", flush=True)
        sys.stdin.read()
    """
    with python(code, file) as other:
        assert other.stdout.readline() == "open\n"
        refused(file, file, "HDF5_USE_FILE_LOCKING")
        other.stdin.close()
        assert other.wait(30) == 0
    assert len(read_scene(run, ReadOptions(), None).halos) == 462


@pytest.fixture
def no_locks(monkeypatch):
    """A file system that has no locks, as Lustre without ``flock``."""

    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)


@pytest.mark.fault(61)
def test_locks_are_refused(writer, tmp_path, no_locks):
    path = tmp_path / f"a{writer.extension}"
    with pytest.raises(OutputError, match="refuses file locks") as caught:
        writer(path)
    assert caught.value.exit_code == 5
    assert "HDF5_USE_FILE_LOCKING=FALSE" in caught.value.fix
    assert names(tmp_path) == []


@pytest.mark.fault(61)
@pytest.mark.parametrize("switch", ["FALSE", "BEST_EFFORT"])
def test_without_locks_the_lock_file_is_the_lock(writer, tmp_path, no_locks, monkeypatch, switch):
    path = tmp_path / f"a{writer.extension}"
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", switch)
    writer(path)
    assert names(tmp_path) == [path.name]
    with output_lock(path):
        (lock,) = tmp_path.glob(".*.lock")
        thread_error = []

        def other():
            try:
                writer(path, overwrite=True)
            except MockgalError as error:
                thread_error.append(error)

        thread = threading.Thread(target=contextvars.Context().run, args=(other,))
        thread.start()
        thread.join()
        content = lock.read_bytes()
    (error,) = thread_error
    assert error.exit_code == 5
    assert f"process {os.getpid()} on host" in str(error)
    assert f"remove {lock}" in error.fix
    # As after a kill: it cannot be seen that the process is gone, with locks or without.
    lock.write_bytes(content)
    with pytest.raises(OutputError, match="remove"):
        writer(path, overwrite=True)
    monkeypatch.undo()
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    with pytest.raises(OutputError, match="remove"):
        writer(path, overwrite=True)
    lock.unlink()
    writer(path, overwrite=True)
    assert names(tmp_path) == [path.name]


@pytest.mark.fault(61)
def test_hdf5_asks_for_no_lock_on_what_it_writes(tmp_path, made, monkeypatch):
    """Its own locks are of no use here, and a file system may refuse them."""
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "TRUE")
    code = """
        import fcntl, os, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from write_samples import catalogue
        from mockgal.registry import load
        real = os.replace
        def replace(part, path):
            with open(part, "rb") as file:  # no one else holds a lock on it
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            real(part, path)
        os.replace = replace
        load("writers", "hdf5")().write(catalogue(30), Path(sys.argv[1]))
    """
    path = tmp_path / "a.hdf5"
    with python(code, path, HARNESS.parents[1] / "writers") as run:
        _, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (0, "")
    assert path.exists()
