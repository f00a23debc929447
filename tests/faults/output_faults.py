"""Writers under failure: each write is done in a forked process that ends, or is hurt, at a chosen
call to the system.

The calls are those that change something on the disk: files made, written, cut, flushed, locked,
renamed and removed, whoever makes them (`CALLS`); they are counted from the first that a writer
makes. Run as ``python output_faults.py FAULT CASE FOLDER``, in a process of its own, it prints what
happened as JSON; `cases` lists what is written.
"""

import builtins
import errno
import fcntl
import io
import json
import os
import re
import resource
import signal
import sys
import traceback
from pathlib import Path

CALLS = ("open", "write", "truncate", "pwrite", "fsync", "flock", "replace", "unlink")
MOST = 60  # calls at which one case is ended

_real_open = io.open


class Hook:
    """Counts calls while it is armed, and does ``action(name, n, path)`` before each."""

    def __init__(self):
        self.count, self.names, self.action = 0, [], None

    def __call__(self, name, path=""):
        if self.action is not None:
            self.count += 1
            self.names.append(name)
            self.action(name, self.count, str(path))


hook = Hook()


class CountedFile(io.FileIO):
    """What every file that is open for writing is made of, HDF5's included.

    Not counted is what is opened by its number: the standard streams.
    """

    def __init__(self, file, mode="r", *rest, **options):
        self._is_stream = isinstance(file, int)
        if set(mode) & set("wxa+") and not self._is_stream:
            hook("open", file)
        super().__init__(file, mode, *rest, **options)

    def write(self, data, /):
        if self._is_stream:
            return super().write(data)
        half = len(memoryview(data).cast("B")) // 2
        try:
            hook("write")
        except Torn as end:  # a write that is cut short by the end of the process
            super().write(memoryview(data).cast("B")[:half])
            end.die()
        return super().write(data)

    def truncate(self, size=None, /):
        hook("truncate")
        return super().truncate(size)


class Torn(Exception):
    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)


def counted_open(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, **rest):
    if not set(mode) & set("wxa+"):
        return _real_open(file, mode, buffering, encoding, errors, newline, **rest)
    raw = CountedFile(file, mode.replace("b", "").replace("t", ""), **rest)
    if buffering == 0:
        return raw
    buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


def counted(name, real):
    def call(*arguments, **options):
        hook(name)
        return real(*arguments, **options)

    return call


def counted_os_open(real):
    def call(path, flags, *rest, **options):
        if flags & (os.O_CREAT | os.O_RDWR | os.O_WRONLY):
            hook("open", path)
        return real(path, flags, *rest, **options)

    return call


def install():
    """Put the counters in; before mockgal is imported, whose file class is made of ours."""
    io.FileIO = CountedFile
    io.open = builtins.open = counted_open
    os.open = counted_os_open(os.open)
    for name in ("write", "pwrite", "fsync", "fdatasync", "replace", "unlink", "ftruncate"):
        known = {"fdatasync": "fsync", "ftruncate": "truncate"}
        setattr(os, name, counted(known.get(name, name), getattr(os, name)))
    for name in ("rename", "link", "remove", "rmdir", "truncate"):
        setattr(os, name, counted(name, getattr(os, name)))
    fcntl.flock = counted("flock", fcntl.flock)


# ---- what is written


def cases():
    """For each case the name of its output, and what writes version 0 or 1 to a path."""
    writers = Path(__file__).parents[1] / "writers"
    sys.path[:0] = [str(writers), str(writers / "models")]
    # what a writer imports takes longer than what it writes, and each fork would
    import astropy.io.fits  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import surveyed
    from write_samples import catalogue, matter_scene

    from mockgal.registry import load
    from mockgal.tasks.write import write_model
    from mockgal.writers.bundle import write_bundle
    from mockgal.writers.provenance import write_sidecar

    galaxies = [catalogue(3000, rng_seed=seed) for seed in (1, 2)]
    scenes = [matter_scene(2000, own_masses) for own_masses in (False, True)]

    def writes(kind):
        writer = load("writers", kind)()
        return lambda path, version: writer.write(
            galaxies[version], path, overwrite=True, chunk_rows=1000
        )

    survey = [tuple(x[version:] for x in surveyed.survey()) for version in (0, 1)]

    def three(path, version):
        """The number density, the randoms, and then the galaxies that these are beside."""
        galaxies, randoms = survey[version]
        write_model(galaxies, path, "desi", randoms=randoms, overwrite=True)

    return {
        "together": ("a.fits", three),
        "fits": ("a.fits", writes("fits")),
        "hdf5": ("a.hdf5", writes("hdf5")),
        "parquet": ("a.parquet", writes("parquet")),
        "fits.gz": ("a.fits.gz", writes("fits.gz")),
        "bundle": ("b.hdf5", lambda path, n: write_bundle(scenes[n], path, overwrite=True)),
        "sidecar": (
            "a.fits.run.json",
            lambda path, n: write_sidecar(path.with_name("a.fits"), {"n": n}, overwrite=True),
        ),
        "build": ("a.fits", build),
    }


def build(path, version):
    """The command, which writes a catalogue and its sidecar."""
    from mockgal.cli import main

    demo = Path(__file__).parents[2] / "catalogs" / "demo" / "dark.hdf5"
    options = ["--sim", demo, "--painter", "hod", "--seed", version, "--out", path]
    main([str(word) for word in ["build", "--overwrite", *options]])


def warm_up():
    """Import and read all that the command needs, so that a fork only writes."""
    import warnings

    from mockgal.recipe import Recipe
    from mockgal.tasks import build as pipeline

    demo = Path(__file__).parents[2] / "catalogs" / "demo" / "dark.hdf5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scene = pipeline.read(demo)
        made = [pipeline.paint(scene, "hod", seed=seed) for seed in (0, 1)]
    Recipe(sim=demo, painter="hod")
    pipeline.read = lambda *_, **__: scene
    pipeline.paint = lambda *_, seed, **__: made[seed]


# ---- processes


def forked(action, watch=None):
    """Do ``action`` in a fork; its exit code, or minus the signal that ended it, and its report."""
    from mockgal.errors import MockgalError

    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(out)
        code, text = 99, ""
        try:
            signal.signal(signal.SIGTERM, terminate)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            sys.stderr = io.StringIO()
            hook.__init__()
            hook.action = watch
            action()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except KeyboardInterrupt:
            code = 130
        except MockgalError as error:
            code, text = error.exit_code, str(error)
        except BaseException:
            text = traceback.format_exc()
        hook.action = None
        text = text or (sys.stderr.getvalue() if isinstance(sys.stderr, io.StringIO) else "")
        report = json.dumps({"text": text[-2000:], "calls": hook.names})
        with _real_open(into, "w") as stream:
            stream.write(report)
        os._exit(code)
    os.close(into)
    with _real_open(out) as stream:
        report = stream.read()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), json.loads(report or "{}")


def terminate(number, _):
    raise SystemExit(128 + number)


class Trial:
    """One case in one folder: the old content, the new, and what is there after a fault."""

    def __init__(self, case, folder):
        self.case, self.folder = case, Path(folder)
        self.name, self.write = cases()[case]
        if case == "build":
            warm_up()
        self.path = self.folder / self.name
        self.content, self.old, self.problems, self.pairs = [], {}, [], True
        for version in (0, 1):
            code, report = forked(lambda version=version: self.write(self.path, version))
            assert code == 0, report
            self.content.append(self.read())
            self.old = self.old or {path: path.read_bytes() for path in self.folder.iterdir()}
            assert self.pairs, "the sidecar tells the digest of the catalogue"
        assert self.content[0] != self.content[1]
        self.calls = report["calls"]

    def read(self):
        """Content of each file in the folder by name; of a sidecar what is the same each time."""
        found = {}
        for path in sorted(self.folder.iterdir()):
            found[path.name] = path.read_bytes()
            if path.name.endswith(".run.json") and self.case == "build":
                found[path.name] = json.loads(found[path.name])["content_digest"]
        if self.case == "build" and self.name in found:
            digest = re.search(rb"CONTDIG = '([0-9a-f]{64})'", found[self.name])[1].decode()
            self.pairs = digest == found.get(f"{self.name}.run.json")
        return found

    def restore(self, old=True):
        """Leave the old version in the folder, or nothing."""
        for path in self.folder.iterdir():
            path.unlink()
        for path, content in self.old.items() if old else ():
            path.write_bytes(content)

    def sample(self):
        """Numbers of calls to be ended at: all but too many writes."""
        code, report = forked(lambda: self.write(self.path, 1), lambda *_: None)
        assert code == 0, report
        self.calls = report["calls"]
        numbers = range(1, len(self.calls) + 1)
        rare = [n for n in numbers if self.calls[n - 1] != "write"]
        writes = [n for n in numbers if self.calls[n - 1] == "write"]
        room = max(MOST - len(rare), 8)
        step = max(1, -(-len(writes) // room))
        return sorted({1, len(self.calls), *rare, *writes[::step], *writes[-1:]})

    def note(self, n, text):
        self.problems.append(f"{self.calls[n - 1] if n else ''} {n}: {text}"[:1500])

    def whole(self, n, old=True):
        """Check that the output is one version or the other, and say which."""
        found = {name: value for name, value in self.read().items() if not name.startswith(".")}
        if found == (self.content[0] if old else {}):
            return "old"
        if found == self.content[1]:
            return "new"
        first = {**(self.content[0] if old else {}), self.name: self.content[1][self.name]}
        if self.case == "build" and found == first and not self.pairs:
            return "a sidecar that tells another digest"
        if self.case == "together" and found in self._begun(old):
            return "what is beside the galaxies"
        self.note(n, f"half a file: { ({k: len(v) for k, v in found.items()}) }")
        return "half"

    def _begun(self, old):
        """What is there when some of the files have their names: the galaxies are the last."""
        begun = [self.content[0] if old else {}]
        for name in ("a_nz.txt", "a_ran.fits"):
            begun.append({**begun[-1], name: self.content[1][name]})
        return begun[1:]

    def run_again(self, n):
        code, report = forked(lambda: self.write(self.path, 1))
        if code != 0:
            self.note(n, f"the second run: {code} {report}")
        if self.read() != self.content[1]:
            self.note(n, f"after the second run: {sorted(self.read())}")


def kill(case, folder):
    """Kill -9 before each call, and amid writes."""
    trial, seen, strays = Trial(case, folder), [], set()
    numbers = trial.sample()
    for at, n in enumerate(numbers):
        old, torn = at % 2 == 0, at % 3 != 0
        trial.restore(old)

        def end(name, count, _, n=n, torn=torn):
            if count == n:
                if name == "write" and torn:
                    raise Torn
                os.kill(os.getpid(), signal.SIGKILL)

        code, report = forked(lambda: trial.write(trial.path, 1), end)
        if code != -signal.SIGKILL:
            trial.note(n, f"not killed: {code} {report}")
        seen.append(trial.whole(n, old))
        strays |= {name.rpartition(".")[2] for name in os.listdir(folder) if name.startswith(".")}
        trial.run_again(n)
    return {"numbers": numbers, "calls": trial.calls, "seen": seen, "strays": sorted(strays),
            "problems": trial.problems}  # fmt: skip


def interrupt(case, folder):
    """SIGTERM and SIGINT at each call: a run ends by itself, and cleans up."""
    trial, seen = Trial(case, folder), []
    numbers = trial.sample()
    for at, n in enumerate(numbers):
        number = (signal.SIGTERM, signal.SIGINT)[at % 2]
        trial.restore()

        def end(name, count, _, n=n, number=number):
            if count == n:
                signal.raise_signal(number)

        code, report = forked(lambda: trial.write(trial.path, 1), end)
        if code != 128 + number:
            trial.note(n, f"{code} after {number.name}: {report}")
        seen.append(trial.whole(n))
        if strays := [name for name in os.listdir(folder) if name.startswith(".")]:
            trial.note(n, f"left {strays}")
    return {"numbers": numbers, "calls": trial.calls, "seen": seen, "problems": trial.problems}


def fill(folder, keep):
    """Leave ``keep`` bytes free on the disk of ``folder``."""
    with _real_open(Path(folder) / "hog", "wb", buffering=0) as hog:
        size = 0
        while True:
            try:
                size += hog.write(bytes(1 << 16))
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    break
                raise
        hog.truncate(max(0, size - keep))


def full(case, folder, file=".part"):
    """The disk fills once the temporary file is about to be made."""
    trial, seen = Trial(case, folder), []
    size = sum(len(value) for value in trial.content[1].values())
    keeps = [0, 4096, 8192, 65536, size // 2, size - 4096]
    for keep in sorted({keep for keep in keeps if 0 <= keep <= size - 4096} | {0}):
        trial.restore()
        (trial.folder / "hog").touch()
        filled = []

        def end(name, _, path, keep=keep, filled=filled):
            if name == "open" and file in path and not filled:
                filled.append(fill(folder, keep))

        code, report = forked(lambda: trial.write(trial.path, 1), end)
        (trial.folder / "hog").unlink()
        if code != 5 or "No space left" not in report.get("text", ""):
            trial.note(0, f"{keep} bytes: {code} {report}")
        seen.append(trial.whole(0))
        if trial.read() != trial.content[0]:
            trial.note(0, f"{keep} bytes: left {sorted(trial.read())}")
        trial.run_again(0)
    return {"keeps": keeps, "seen": seen, "problems": trial.problems}


def full_at_the_end(case, folder):
    """The disk fills when the catalogue is in place and its sidecar is about to be made."""
    trial = Trial(case, folder)
    trial.restore()
    (trial.folder / "hog").touch()
    filled = []

    def end(name, _, path):
        if name == "open" and ".run.json." in path and ".part" in path and not filled:
            filled.append(fill(folder, 0))

    code, report = forked(lambda: trial.write(trial.path, 1), end)
    (trial.folder / "hog").unlink()
    return {"code": code, "text": report["text"], "seen": [trial.whole(0)],
            "problems": trial.problems}  # fmt: skip


def forbidden(case, folder):
    """A folder that may not be written to, by one who is not root."""
    trial = Trial(case, folder)
    trial.restore()
    os.chmod(folder, 0o555)

    def write():
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        no_work()
        trial.write(trial.path, 1)

    code, report = forked(write, lambda *_: None)
    os.chmod(folder, 0o755)
    return {"code": code, **report, "seen": [trial.whole(0)], "problems": trial.problems}


def no_work():
    """Make reading and painting fail: nothing is computed before the refusal."""
    from mockgal.tasks import build as pipeline

    def work(*_, **__):
        raise AssertionError("there is work before the refusal")

    pipeline.read = pipeline.paint = work


def limited(case, folder):
    """No file may be larger than so many bytes: a full disk that needs no privileges."""
    trial, seen, codes = Trial(case, folder), [], set()
    size = max(len(value) for value in trial.content[1].values())
    limits = [0, *(limit for limit in (10, 5000, size // 2, size - 1) if limit < size)]
    for limit in limits:
        trial.restore()

        def write(limit=limit):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                trial.write(trial.path, 1)
            finally:
                resource.setrlimit(
                    resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                )

        code, report = forked(write)
        codes.add(code)
        if "Fix: " not in report.get("text", ""):
            trial.note(0, f"{limit} bytes: {code} {report}")
        seen.append(trial.whole(0))
        if trial.read() != trial.content[0]:
            trial.note(0, f"{limit} bytes: left {sorted(trial.read())}")
    return {
        "limits": limits,
        "codes": sorted(codes),
        "seen": seen,
        "problems": trial.problems,
    }


FAULTS = (kill, interrupt, full, full_at_the_end, limited, forbidden)

if __name__ == "__main__":
    install()
    fault, case, folder = sys.argv[1:]
    result = {f.__name__: f for f in FAULTS}[fault](case, folder)
    print(json.dumps(result))
