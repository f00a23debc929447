"""Damaged files of every format: an error of ours or the same catalogue; no hang, no crash.

Where a format has no checksums, values that the damage hit may be others: nothing else may. And
files whose bytes are whole but whose statements are of another shape, type, sign or size.
"""

import select
import subprocess
import sys
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from fuzz_child import FIXTURES, STATED

CHILD = Path(__file__).parents[1] / "fuzz_child.py"
SECONDS = 300  # for one case, which takes milliseconds, or more where others have the cores
MEMORY = 6 << 20  # kB of address space


def outcomes(fixtures, folder, first, count, *mode):
    """What came of each case of each fixture, all in one process.

    A case that hangs or kills the process says so, and is the last one.
    """
    folder.mkdir()
    words = [",".join(fixtures), str(folder), str(first), str(count), *mode]
    limited = ["/bin/sh", "-c", f'ulimit -v {MEMORY}; exec "$@"', "sh"]
    found = {fixture: {} for fixture in fixtures}
    with subprocess.Popen(
        [*limited, sys.executable, str(CHILD), *words], stdout=subprocess.PIPE, text=True
    ) as child:
        for fixture, number in product(fixtures, range(first, first + count)):
            ready, _, _ = select.select([child.stdout], [], [], SECONDS)
            line = child.stdout.readline() if ready else ""
            if not line:
                child.kill()
                found[fixture][number] = f"ended with {child.wait()}" if ready else "hung"
                break
            found[fixture][number] = line.split(maxsplit=1)[1].strip()
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


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    return outcomes(IN_SUITE, tmp_path_factory.mktemp("damaged") / "f", 0, 10)


@pytest.mark.parametrize("fixture", IN_SUITE)
def test_damage(damaged, fixture):
    check(fixture, damaged[fixture])


@pytest.mark.slow
@pytest.mark.parametrize("fixture", FIXTURES)
def test_damage_at_length(tmp_path, fixture):
    check(fixture, outcomes([fixture], tmp_path / "f", 1000, 3000)[fixture])


def check_stated(fixture, found):
    wrong = {n: what for n, what in found.items() if what not in ("same", "refused", "explained")}
    assert not wrong, f"python {CHILD} {fixture} FOLDER {min(wrong)} 1 stated: {wrong}"
    assert Counter(found.values())["refused"] > len(found) / 4


@pytest.fixture(scope="module")
def stated(tmp_path_factory):
    return outcomes(list(STATED), tmp_path_factory.mktemp("stated") / "f", 0, 10, "stated")


@pytest.mark.parametrize("fixture", STATED)
def test_statements_of_another_kind(stated, fixture):
    check_stated(fixture, stated[fixture])


@pytest.mark.slow
@pytest.mark.parametrize("fixture", STATED)
def test_statements_of_another_kind_at_length(tmp_path, fixture):
    check_stated(fixture, outcomes([fixture], tmp_path / "f", 1000, 600, "stated")[fixture])
