"""Damaged files of every format: an error of ours or the same catalogue; no hang, no crash.

Where a format has no checksums, values that the damage hit may be others: nothing else may. And
files whose bytes are whole but whose statements are of another shape, type, sign or size.
"""

import select
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fuzz_child import FIXTURES, STATED

CHILD = Path(__file__).parents[1] / "fuzz_child.py"
SECONDS = 60  # for one case, which takes milliseconds: a hang is longer
MEMORY = 6 << 20  # kB of address space


def outcomes(fixture, folder, first, count, *mode):
    """What came of each case; a case that hangs or kills its process says so."""
    command = [sys.executable, str(CHILD), fixture, str(folder), str(first), str(count), *mode]
    command = ["/bin/sh", "-c", f'ulimit -v {MEMORY}; exec "$@"', "sh", *command]
    found = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        for number in range(first, first + count):
            ready, _, _ = select.select([child.stdout], [], [], SECONDS)
            line = child.stdout.readline() if ready else ""
            if not line:
                child.kill()
                found[number] = f"ended with {child.wait()}" if ready else "hung"
                break
            found[number] = line.split(maxsplit=1)[1].strip()
    return found


def check(fixture, found):
    allowed = {"same", "refused", "explained", "untold"}
    wrong = {number: what for number, what in found.items() if what not in allowed}
    assert not wrong, f"python {CHILD} {fixture} FOLDER {min(wrong)} 1: {wrong}"
    counted = Counter(found.values())
    assert counted["refused"] > len(found) / 5, counted
    assert counted["untold"] <= len(found) / 50, counted
    if FIXTURES[fixture].gives is None and not FIXTURES[fixture].text:
        assert not counted["explained"]


# Tables in other formats than these are damaged by hand, and by `campaign.py`.
_TABLES = ("table-fits", "table-parquet", "table-npz", "table-pandas")
IN_SUITE = [name for name in FIXTURES if not name.startswith("table-") or name in _TABLES]


@pytest.mark.parametrize("fixture", IN_SUITE)
def test_damage(tmp_path, fixture):
    check(fixture, outcomes(fixture, tmp_path / "f", 0, 20))


@pytest.mark.slow
@pytest.mark.parametrize("fixture", FIXTURES)
def test_damage_at_length(tmp_path, fixture):
    check(fixture, outcomes(fixture, tmp_path / "f", 1000, 3000))


def check_stated(fixture, found):
    wrong = {n: what for n, what in found.items() if what not in ("same", "refused", "explained")}
    assert not wrong, f"python {CHILD} {fixture} FOLDER {min(wrong)} 1 stated: {wrong}"
    assert Counter(found.values())["refused"] > len(found) / 4


@pytest.mark.parametrize("fixture", STATED)
def test_statements_of_another_kind(tmp_path, fixture):
    check_stated(fixture, outcomes(fixture, tmp_path / "f", 0, 15, "stated"))


@pytest.mark.slow
@pytest.mark.parametrize("fixture", STATED)
def test_statements_of_another_kind_at_length(tmp_path, fixture):
    check_stated(fixture, outcomes(fixture, tmp_path / "f", 1000, 600, "stated"))
