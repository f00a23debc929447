"""Broken surroundings: streams, signals, folders and variables that are not what they should be.

Each row of `STREAMS` and `PLACES` is one of them: what a command ends with, and words that it says.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from mockgal.cli import main
from mockgal.system.files import signals

PYTHON = [sys.executable, "-m", "mockgal"]
BUILD = "build --sim {sim} --painter hod --cut stellar_mass>1e9Msun/h --seed 1 --out out.fits"


class Case(NamedTuple):
    """One broken surrounding.

    Parameters
    ----------
    name : str
    command : str
        Words of mockgal; ``{sim}`` is the demo simulation.
    code : int
        What it ends with.
    says : str
        Regular expression, found in what is printed.
    shell : str
        Redirections of the command, and what follows it.
    before : str
        Run by the shell in the empty working directory before the command.
    environment : pairs of str
    made : str
        A file that is there, and whole, in the end.
    """

    name: str
    command: str
    code: int
    says: str = ""
    shell: str = ""
    before: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    made: str = ""


FULL = r"error\[E501\] standard output: found .*No space left"
STREAMS = [
    Case("no stderr", "inspect {sim}", 0, "demo", "2>&-"),
    Case("no stderr, an error", "inspect nothing", 3, "", "2>&-"),
    Case("full stderr, an error", "inspect nothing", 3, "", "2>/dev/full"),
    Case("full stderr, usage", "--nope", 2, "", "2>/dev/full"),
    Case("full stdout, version", "--version", 5, FULL, ">/dev/full"),
    Case("full stdout, help", "--help", 5, FULL, ">/dev/full"),
    Case("full stdout, nothing asked", "", 5, FULL, ">/dev/full"),
    Case("full stdout, json", "inspect {sim} --json", 5, FULL, ">/dev/full"),
    Case("no reader", "--version", 0, "^$", "| true; exit ${PIPESTATUS[0]}"),
    Case("no streams", BUILD, 0, "", "<&- >&- 2>&-", made="out.fits"),
    Case("full streams", BUILD, 5, "", ">/dev/full 2>/dev/full", made="out.fits"),
    Case("full stdout, completion", "", 5, FULL, ">/dev/full",
         environment=(("_PYTHON__M_MOCKGAL_COMPLETE", "bash_source"),)),
]  # fmt: skip


def to(name):
    return BUILD.replace("out.fits", name)


LONG = "n" * 240 + ".fits"
BYTES = "caf\udce9"  # no text in UTF-8
SIM = f"{BYTES}.hdf5"
COPIED = f"cp {{sim}} {SIM}"
READ = BUILD.replace("{sim}", SIM).replace("out.fits", f"{BYTES}.fits")
NUL = "printf 'painter: cnn\\n{}: \"a\\\\0b\"\\n' > nul.yaml"
ELSEWHERE = to("{folder}/abs.fits")
GONE = "mkdir gone; cd gone; rmdir ../gone"
PLACES = [
    Case("a long name", to(LONG), 0, made=LONG),
    Case("too long a name", to(300 * "n" + ".fits"), 5, "shorter"),
    Case("too long for the sidecar", to(250 * "n" + ".fits"), 5, "run.json.*shorter"),
    Case("no working directory", BUILD, 5, "working directory is gone|No such file", before=GONE),
    Case("no working directory, path", ELSEWHERE, 0, before=GONE, made="abs.fits"),
    Case("a file in the path", to("f/out.fits"), 5, "no directory f", before="> f"),
    Case("a pipe", f"{BUILD} --overwrite", 5, "a pipe, a device", before="mkfifo out.fits"),
    Case("no room in a file", BUILD, 5, "ulimit -f", before="ulimit -f 1"),
    Case("odd numbers", BUILD, 0, made="out.fits", environment=tuple(
        (name, "abc")
        for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "COLUMNS", "TZ")
    )),
    Case("no threads", BUILD, 0, made="out.fits", environment=(("NUMBA_NUM_THREADS", "0"),)),
    Case("no home, no scratch, no cache", BUILD, 0, made="out.fits", environment=(
        ("HOME", ""), ("TMPDIR", "/nowhere"), ("NUMBA_CACHE_DIR", "/proc/nowhere"),
        ("MPLCONFIGDIR", "/proc/nowhere"), ("MPLBACKEND", "abc"),
    )),
    Case("warnings are errors", BUILD, 0, made="out.fits", environment=(
        ("PYTHONWARNINGS", "error"),
    )),
    Case("ASCII", to("caf\u00e9.fits"), 0, "caf", made="caf\u00e9.fits", environment=(
        ("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0"),
    )),
    Case("no text, built and drawn", READ, 0, before=COPIED, made=f"{BYTES}.fits", shell=(
        f"&& {' '.join(PYTHON)} plot {BYTES}.fits --out {BYTES}.png"
        f"&& {' '.join(PYTHON)} measure {BYTES}.fits --statistic mass_function --out {BYTES}"
    )),
    Case("no text, reported", f"{READ} --json", 0, r'"caf\\udce9\.hdf5"', before=COPIED),
    Case("no text, inspected", f"inspect {SIM}", 0, r"--sim \$'caf\\351\.hdf5'", before=COPIED),
    Case("no text, packed", f"pack {SIM} --out {BYTES}.2.hdf5", 0, before=COPIED),
    Case("no text, missing", f"inspect {SIM}", 3, r"caf\\udce9.*check the path"),
    Case("too long a simulation", f"inspect {300 * 'n'}", 3, "too long.*check the name"),
    Case("a file in the path of a simulation", "inspect f/dark.hdf5", 3, "check the path",
         before="> f"),
    *(
        Case(f"NUL in {key}", "build --recipe nul.yaml", 2, r"character U\+0000",
             before=NUL.format(key))
        for key in ("sim", "out", "matter", "weights")
    ),
]  # fmt: skip


def run(case, folder, sim):
    words = " ".join(f"'{word}'" for word in case.command.format(sim=sim, folder=folder).split())
    before = case.before.replace("{sim}", str(sim)) or ":"
    script = f"{before}\n{' '.join(PYTHON)} {words} {case.shell}\n"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, **dict(case.environment)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )


@pytest.mark.slow_but("no streams", "no reader", "usage", "help")
@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
@pytest.mark.fault(86)
def test_streams(case, tmp_path, demo_bundle):
    check(case, tmp_path, demo_bundle)


@pytest.mark.slow_but("path", "room", "sim", "missing")
@pytest.mark.parametrize("case", PLACES, ids=lambda case: case.name)
@pytest.mark.fault(87)
def test_places(case, tmp_path, demo_bundle):
    check(case, tmp_path, demo_bundle)


# The modules are loaded by a first run: Python's own may be closed to others.
AGAIN = """
import os, resource, sys
from contextlib import suppress
from mockgal.cli import main
with suppress(SystemExit):
    main([*sys.argv[1:-1], sys.argv[-1] + "/first.fits"])
CHANGE
main([*sys.argv[1:-1], sys.argv[-1] + "/here/out.fits"])
"""
NOT_ROOT = """
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


def run_again(change, folder, sim):
    return subprocess.run(
        [sys.executable, "-c", AGAIN.replace("CHANGE", change),
         *BUILD.format(sim=sim).split()[:-1], folder],
        capture_output=True,
        text=True,
        cwd="/",
    )  # fmt: skip


@pytest.mark.fault(87)
def test_few_files(tmp_path, demo_bundle):
    tmp_path.joinpath("here").mkdir()
    change = "resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))"
    done = run_again(change, tmp_path, demo_bundle)
    assert done.returncode == 6, done.stderr
    assert re.search(r"error\[E601\] .*Too many open files.* Fix: .*ulimit -n", done.stderr)
    assert not (tmp_path / "here" / "out.fits").exists()


@pytest.mark.fault(87)
@pytest.mark.parametrize(("mode", "code"), [(0o300, 0), (0o600, 5), (0o500, 5)])
@pytest.mark.slow_but("192-0")
def test_a_folder_with_some_permissions(mode, code, demo_bundle):
    """Writing needs w and x, and not r."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        os.chmod(folder, 0o755)
        sim, place = Path(folder, "dark.hdf5"), Path(folder, "here")
        sim.write_bytes(demo_bundle.read_bytes())
        place.mkdir()
        if os.getuid() == 0:
            os.chown(place, 65534, 65534)
        place.chmod(mode)
        done = run_again(NOT_ROOT, folder, sim)
        place.chmod(0o700)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        made = ["out.fits", "out.fits.run.json"] if code == 0 else []
        assert sorted(os.listdir(place)) == made


SHUT = """
import os, sys
from mockgal.cli import main
sim, folder = sys.argv[1:]
out = ["--overwrite", "--out", folder + "/out."]
build = ["build", "--painter", "hod", "--seed", "1", *out[:2], out[2] + "fits", "--quiet"]
pack = ["pack", sim, *out[:2], out[2] + "hdf5"]
commands = [
    [*build, "--sim", folder + "/shut/dark.hdf5"],
    [*build, "--sim", folder + "/shut"],
    [*build, "--sim", sim, "--calibration", folder + "/shut/table.ecsv"],
    [*build, "--recipe", folder + "/shut/recipe.yaml"],
    [*pack, "--matter", folder + "/shut/density.hdf5"],
]
codes = []
def go(words):
    try:
        main(words)
    except SystemExit as end:
        codes.append(end.code)
go([*build, "--sim", sim])  # loads the modules
go(pack)
NOT_ROOT
for words in commands:
    go(words)
print(codes)
"""


@pytest.mark.fault(87)
def test_inputs_in_a_folder_without_search_permission(demo_bundle):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        os.chmod(folder, 0o777)
        sim, shut = Path(folder, "dark.hdf5"), Path(folder, "shut")
        sim.write_bytes(demo_bundle.read_bytes())
        shut.mkdir()
        for name in ("dark.hdf5", "table.ecsv", "recipe.yaml", "density.hdf5"):
            shut.joinpath(name).write_text("")
        shut.chmod(0o644)
        done = subprocess.run(
            [sys.executable, "-c", SHUT.replace("NOT_ROOT", NOT_ROOT), sim, folder],
            capture_output=True,
            text=True,
        )
        shut.chmod(0o700)
    assert done.stdout.splitlines()[-1] == "[0, 0, 3, 3, 3, 2, 3]", done.stderr
    assert done.stderr.count("Permission denied") == 5
    assert "Traceback" not in done.stderr


@pytest.mark.fault(87)
def test_the_exit_code_of_a_place_is_that_of_the_table(tmp_path, demo_bundle, exit_codes):
    case = next(case for case in PLACES if case.name == "a pipe")
    assert run(case, tmp_path, demo_bundle).returncode in exit_codes


def check(case, folder, sim):
    done = run(case, folder, sim)
    said = done.stdout + done.stderr
    assert done.returncode == case.code, said
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert re.search(case.says, said, re.S), said
    assert not list(folder.rglob("*.part*"))
    if case.made:
        from mockgal.readers.mocks.reader import read_galaxies

        assert len(read_galaxies(folder / case.made))


@pytest.mark.fault(86)
def test_the_exit_code_is_that_of_the_table(tmp_path, demo_bundle, exit_code):
    case = Case("full", "--version", exit_code, FULL, ">/dev/full")
    assert run(case, tmp_path, demo_bundle).returncode == exit_code


# ---- signals


@pytest.mark.fault(55)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_mockgal_is_imported(number, exit_codes):
    """At any time from its first line on; before that Python itself may print a traceback."""
    ends = set()
    for delay in (0.03, 0.1, 0.2, 0.4, 0.8):
        with subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "mockgal", "--version"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for line in process.stderr:
                if "mockgal.system.files.signals" in line:
                    break
            time.sleep(delay)
            process.send_signal(number)
            said = process.stderr.read()
        assert "Traceback" not in said
        assert "KeyboardInterrupt" not in said
        ends.add(process.returncode)
    assert 128 + number in ends & set(exit_codes)
    assert ends <= {0, 128 + number, -number}  # the last by Python itself, before ours begins


LOSE = """
import os
from mockgal.cli import main

class Lost:
    def __del__(self):
        os.kill(os.getpid(), NUMBER)
        for _ in range(10_000): pass

def lose():
    Lost()

def patched(name):
    former = getattr(WHERE, name)
    def function(*arguments, **options):
        lose()
        return former(*arguments, **options)
    setattr(WHERE, name, function)

from PLACE import OBJECT as WHERE
patched("METHOD")
main()
"""


@pytest.mark.slow_but("build-select-2", "printable-15")
@pytest.mark.fault(55)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("place", "thing", "method"),
    [
        ("mockgal.writers.fits", "FITSWriter", "write"),
        ("mockgal.tasks", "build", "select"),
        ("mockgal.cli.screen", "streams", "printable"),
    ],
)
def test_a_signal_that_is_lost_in_a_callback(number, place, thing, method, tmp_path, demo_bundle):
    """What a handler raises in ``__del__`` is dropped by Python; the command ends nonetheless."""
    program = LOSE.replace("PLACE", place).replace("OBJECT", thing).replace("METHOD", method)
    words = BUILD.format(sim=demo_bundle).split()
    done = subprocess.run(
        [sys.executable, "-c", program.replace("NUMBER", str(int(number))), *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 128 + number, done.stderr
    assert "Traceback" not in done.stderr
    assert "interrupted" in done.stderr
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= ({"out.fits", "out.fits.run.json"} if place == "mockgal.cli" else set())


def test_a_command_run_from_python_leaves_signals_as_they_were():
    former = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    showing = warnings.showwarning, sys.unraisablehook
    with pytest.raises(SystemExit):
        main(["--version"])
    assert former == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert showing == (warnings.showwarning, sys.unraisablehook)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signals.check()  # nothing is left of it


def test_a_command_runs_in_a_thread():
    def run():
        with pytest.raises(SystemExit) as ended:
            main(["--version"])
        return ended.value.code

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run).result() == 0
