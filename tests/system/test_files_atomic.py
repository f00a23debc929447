import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mockgal.errors import (
    CorruptFileError,
    InternalError,
    MockgalWarning,
    OutputError,
    OutputExistsError,
    ResourceError,
    UsageError,
)
from mockgal.system.files.atomic import atomic_output, check_output
from mockgal.system.files.lock import output_lock, temporary_beside
from mockgal.system.files.signals import signals_deferred
from mockgal.writers.provenance import sidecar_path, write_sidecar


def names(folder):
    return sorted(os.listdir(folder))


def write(path, text="new", **options):
    options = {"overwrite": False, **options}
    with atomic_output(path, **options) as temporary:
        temporary.write_text(text)


def child(code, *arguments, **options):
    """A Python process running ``code``, its output piped."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_the_file_appears_under_its_name_and_nothing_else_stays(tmp_path):
    path = tmp_path / "mock é [1].fits"
    with atomic_output(path, overwrite=False) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(f".{path.name}.")
        assert temporary.name.endswith(".part.fits")
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(tmp_path) == [path.name]


def test_an_existing_output_is_refused_and_replaced_only_on_request(tmp_path):
    path = tmp_path / "a.fits"
    path.write_text("old")
    with pytest.raises(OutputExistsError, match="--overwrite") as caught:
        write(path)
    assert caught.value.exit_code == 2
    assert path.read_text() == "old"
    write(path, overwrite=True)
    assert path.read_text() == "new"
    dangling = tmp_path / "link.fits"
    dangling.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExistsError):
        check_output(dangling, False)


@pytest.mark.parametrize("link", ["same", "symlink", "hard link", "folder link"])
def test_the_output_is_no_input(tmp_path, link):
    source = tmp_path / "dark.hdf5"
    source.write_text("input")
    path = tmp_path / "out.hdf5"
    if link == "same":
        path = source
    elif link == "symlink":
        path.symlink_to(source)
    elif link == "hard link":
        os.link(source, path)
    else:
        (tmp_path / "sub").symlink_to(tmp_path)
        path = tmp_path / "sub" / "dark.hdf5"
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="input") as caught:
            write(path, overwrite=overwrite, inputs=[tmp_path / "missing", source])
        assert caught.value.exit_code == 2
        assert "--overwrite" not in str(caught.value)
    assert source.read_text() == "input"


def test_a_directory_that_cannot_be_written_to_is_refused_before_work(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "no" / "a.fits", tmp_path / "file" / "a.fits", tmp_path):
        with pytest.raises(OutputError) as caught:
            check_output(path, True)
        assert caught.value.exit_code == 5


def test_a_read_only_directory_is_refused_before_work(tmp_path, monkeypatch):
    # root may write anywhere, so the answer of the system is set here
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="permission"):
        check_output(tmp_path / "a.fits", False)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_a_file_system_that_takes_no_files_is_an_output_error():
    with pytest.raises((OutputError, ResourceError)):
        write(Path("/proc/self/a.fits"))


def test_a_predicted_shortfall_is_refused_before_work(tmp_path):
    with pytest.raises(ResourceError, match="bytes free") as caught:
        check_output(tmp_path / "a.fits", False, expected_bytes=1 << 60)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    "error", [ValueError("x"), CorruptFileError("in", "x"), KeyboardInterrupt(), SystemExit(143)]
)
def test_whatever_is_raised_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a.fits"
    path.write_text("old")

    def fail():
        with atomic_output(path, overwrite=True) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.fits"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("place", ["block", "fsync", "replace"])
def test_a_failing_disk_is_an_output_error(tmp_path, monkeypatch, number, place):
    path = tmp_path / "a.fits"
    path.write_text("old")

    def fail(*_):
        raise OSError(number, os.strerror(number))

    def attempt():
        with atomic_output(path, overwrite=True) as temporary:
            temporary.write_text("half")
            if place == "block":
                fail()
            monkeypatch.setattr(os, place, fail)

    with pytest.raises(OutputError, match=r"a\.fits.*Fix: ") as caught:
        attempt()
    monkeypatch.undo()
    assert caught.value.exit_code == 5
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.fits"]


def test_a_name_that_is_too_long_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="shorter"):
        write(tmp_path / ("a" * 300 + ".fits"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a" * 230 + ".fits", "é" * 125 + ".fits", "a." + "b" * 253])
def test_a_name_that_is_as_long_as_names_may_be(tmp_path, name):
    """The lock and the temporary file have shorter ones; what a killed run left is removed."""
    path = tmp_path / name
    write(path)
    left = temporary_beside(path)
    left.touch()
    with pytest.warns(MockgalWarning, match="cleaned up after a run"):
        write(path, overwrite=True)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_a_new_version_has_the_permissions_of_the_old_one(tmp_path, mode):
    path = tmp_path / "a.fits"
    path.touch()
    path.chmod(mode)
    if os.getuid() == 0:
        os.chown(path, 1000, 1001)
    old = path.stat()
    write(path, overwrite=True)
    new = path.stat()
    assert new.st_ino != old.st_ino
    assert (new.st_mode, new.st_uid, new.st_gid) == (old.st_mode, old.st_uid, old.st_gid)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_pipe_or_a_socket_is_not_replaced(tmp_path, kind):
    path = tmp_path / "a.fits"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    before = path.lstat()
    with pytest.raises(OutputError, match="a pipe, a device or a socket"):
        write(path, overwrite=True)
    assert path.lstat() == before
    assert names(tmp_path) == ["a.fits"]


def test_a_byte_of_zero_in_a_name(tmp_path):
    with pytest.raises(UsageError, match="byte of 0"):
        write(tmp_path / "a\0b.fits")


def test_a_failed_verification_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.fits"
    path.write_text("old")

    def verify(temporary):
        assert temporary.read_text() == "new"
        raise CorruptFileError(temporary, "damage")

    with pytest.raises(InternalError, match="verification") as caught:
        write(path, overwrite=True, verify=verify)
    assert caught.value.exit_code == 8
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.fits"]


def test_a_lock_names_its_holder(tmp_path):
    path = tmp_path / "a.fits"
    code = """
        import sys
        from pathlib import Path
        from mockgal.system.files.atomic import output_lock
        with output_lock(Path(sys.argv[1])):
            print("locked", flush=True)
            sys.stdin.read()
    """
    with child(code, path) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match=rf"process {other.pid} on host \S") as caught:
            write(path)
        assert caught.value.exit_code == 5
        other.stdin.close()
        assert other.wait(10) == 0
    write(path)
    assert names(tmp_path) == ["a.fits"]


def test_a_lock_is_held_once_and_released(tmp_path):
    path = tmp_path / "a.fits"
    with output_lock(path):
        holder = json.loads((tmp_path / ".a.fits.lock").read_text())
        assert holder["pid"] == os.getpid()
        with output_lock(path):  # of the same run
            pass
        assert names(tmp_path) == [".a.fits.lock"]
    assert names(tmp_path) == []


def test_a_lock_file_replaced_between_open_and_lock_is_not_trusted(tmp_path, monkeypatch):
    import fcntl

    path, lock, real = tmp_path / "a.fits", tmp_path / ".a.fits.lock", fcntl.flock
    calls = []

    def flock(handle, how):
        if not calls:
            lock.unlink()  # the former holder leaves, after our open
        calls.append(handle)
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with output_lock(path):
        assert len(calls) == 2
        assert os.path.samestat(os.fstat(calls[-1]), os.stat(lock))


def test_one_of_many_runs_wins(tmp_path):
    path = tmp_path / "a.fits"
    code = """
        import sys
        from pathlib import Path
        from mockgal.errors import MockgalError
        from mockgal.system.files.atomic import atomic_output
        sys.stdin.readline()
        try:
            with atomic_output(Path(sys.argv[1]), overwrite=False) as temporary:
                temporary.write_text("winner")
        except MockgalError as error:
            sys.exit(error.exit_code)
    """
    children = [child(code, path) for _ in range(6)]
    for one in children:
        one.stdin.write("\n")
        one.stdin.flush()
    codes = []
    for one in children:
        one.communicate(timeout=20)
        codes.append(one.returncode)
    assert codes.count(0) == 1
    assert set(codes) <= {0, 2, 5}
    assert path.read_text() == "winner"
    assert names(tmp_path) == ["a.fits"]


@pytest.mark.parametrize("moment", ["write", "fsync", "replace", "folder"])
def test_kill_9_leaves_the_old_or_the_new_file_and_a_rerun_succeeds(tmp_path, moment):
    path = tmp_path / "a.fits"
    path.write_text("old")
    code = """
        import os, signal, sys
        from pathlib import Path
        from mockgal.system.files import atomic
        path, moment = Path(sys.argv[1]), sys.argv[2]
        def die(*_):
            os.kill(os.getpid(), signal.SIGKILL)
        real, calls = os.fsync, []
        def fsync(handle):
            calls.append(handle)
            if moment == "fsync" or len(calls) == 2:
                die()
            real(handle)
        os.fsync = fsync
        if moment == "replace":
            os.replace = die
        with atomic.atomic_output(path, overwrite=True) as temporary:
            temporary.write_text("new")
            if moment == "write":
                die()
    """
    with child(code, path, moment) as victim:
        assert victim.wait(20) == -signal.SIGKILL, victim.stderr.read()
    assert path.read_text() == ("new" if moment == "folder" else "old")
    assert ".a.fits.lock" in names(tmp_path)  # stale, and no obstacle
    with pytest.warns(MockgalWarning, match=f"cleaned up .* process {victim.pid} on host"):
        write(path, "again", overwrite=True)
    assert path.read_text() == "again"
    assert names(tmp_path) == ["a.fits"]  # what the killed run left is gone too


def stopped_by(number):
    with signals_deferred() as signals:
        signals.check()
        signal.raise_signal(number)
        signals.check()
        raise AssertionError("the block goes on")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_and_come(number):
    came = []
    former = {
        n: signal.signal(n, lambda n, _: came.append(n)) for n in (signal.SIGINT, signal.SIGTERM)
    }
    mine = signal.getsignal(number)
    try:
        with signals_deferred() as signals:
            signal.raise_signal(number)
            assert came == []
            with signals.allowed():
                assert came == [number]  # that waited
                signal.raise_signal(number)
                assert came == [number] * 2
                with signals_deferred():
                    signal.raise_signal(number)
                    assert came == [number] * 2
                assert came == [number] * 3
            signal.raise_signal(number)
            assert came == [number] * 3
        assert came == [number] * 4
        assert signal.getsignal(number) is mine
        with pytest.raises(KeyboardInterrupt):
            stopped_by(number)  # though the handler raises nothing
        assert came == [number] * 5
    finally:
        for n, handler in former.items():
            signal.signal(n, handler)


def test_leftovers_of_other_outputs_stay(tmp_path):
    other = tmp_path / f".b.fits.{'0' * 32}.part.fits"
    other.write_text("")
    write(tmp_path / "a.fits")
    assert names(tmp_path) == [other.name, "a.fits"]


@pytest.mark.slow_but("1000000")
@pytest.mark.parametrize("limit", [50_000, 200_000, 1_000_000])
@pytest.mark.parametrize("name", ["fits", "hdf5", "bundle.hdf5"])
def test_a_small_disk_that_fills_is_an_output_error(tmp_path, name, limit):
    """The limit on file sizes is the nearest to a full disk that needs no privileges.

    In a child, as HDF5 may crash a process when it ends.
    """
    code = """
        import resource, sys
        from pathlib import Path
        path, limit = Path(sys.argv[1]), int(sys.argv[2])
        sys.path.insert(0, sys.argv[3])
        from write_samples import catalogue, matter_scene
        from mockgal.errors import OutputError
        from mockgal.registry import load
        from mockgal.writers.bundle import write_bundle
        galaxies, scene = catalogue(20_000), matter_scene(200_000, own_masses=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            if "bundle" in path.name:
                write_bundle(scene, path, overwrite=True)
            else:
                load("writers", path.suffix[1:])().write(galaxies, path, overwrite=True)
        except OutputError as error:
            print(error)
            sys.exit(error.exit_code)
    """
    path = tmp_path / f"a.{name}"
    path.write_text("old")
    with child(code, path, limit, Path(__file__).parents[1] / "writers") as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 5, err
    assert err == ""
    assert "Fix" in out
    assert path.read_text() == "old"
    assert names(tmp_path) == [path.name]


def test_the_sidecar_holds_the_facts_of_the_run(tmp_path):
    path = tmp_path / "a.fits"
    for memory in (1, 2):
        sidecar = write_sidecar(
            path, {"peak_memory": memory, "input": Path("dark.hdf5")}, overwrite=True
        )
    assert sidecar == sidecar_path(path) == tmp_path / "a.fits.run.json"
    assert json.loads(sidecar.read_text()) == {"peak_memory": 2, "input": "dark.hdf5"}
    assert names(tmp_path) == [sidecar.name]


def test_a_sidecar_that_exists_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "a.fits"
    sidecar_path(path).write_text("mine")
    with pytest.raises(OutputExistsError, match=r"a\.fits\.run\.json"):
        write_sidecar(path, {}, overwrite=False)
    assert sidecar_path(path).read_text() == "mine"
    assert names(tmp_path) == ["a.fits.run.json"]


def test_space_is_asked_of_the_directory_of_the_output(tmp_path, monkeypatch):
    asked = []
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda where: asked.append(where) or real(where))
    write(tmp_path / "a.fits")
    assert set(asked) == {tmp_path}
