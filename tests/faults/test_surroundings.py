"""Broken surroundings: streams, signals, folders and variables that are not what they should be.

Each row of `CASES` is one of them: what a command ends with, and words that it says.
"""

import os
import re
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import pytest

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


def run(case, folder, sim):
    words = " ".join(f"'{word}'" for word in case.command.format(sim=sim).split())
    script = f"{case.before or ':'}\n{' '.join(PYTHON)} {words} {case.shell}\n"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, **dict(case.environment)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
@pytest.mark.fault(86)
def test_streams(case, tmp_path, demo_bundle):
    check(case, tmp_path, demo_bundle)


def check(case, folder, sim):
    done = run(case, folder, sim)
    said = done.stdout + done.stderr
    assert done.returncode == case.code, said
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert re.search(case.says, said, re.S), said
    assert not list(folder.rglob("*.part*"))
    if case.made:
        from mockgal.read.galaxies import read_galaxies

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
                if "mockgal.files.signals" in line:
                    break
            time.sleep(delay)
            process.send_signal(number)
            said = process.stderr.read()
        assert "Traceback" not in said
        assert "KeyboardInterrupt" not in said
        ends.add(process.returncode)
    assert 128 + number in ends & set(exit_codes)
    assert ends <= {0, 128 + number}


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


@pytest.mark.fault(55)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("place", "thing", "method"),
    [
        ("mockgal.write.fits", "FITSWriter", "write"),
        ("mockgal", "pipeline", "select"),
        ("mockgal.cli", "screen", "printable"),
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
