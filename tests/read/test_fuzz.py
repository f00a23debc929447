"""Damaged files of every format: an error of ours or the same catalogue; no hang, no crash."""

import select
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fuzz_child import FIXTURES

CHILD = Path(__file__).with_name("fuzz_child.py")
SECONDS = 60  # for one case, which takes milliseconds: a hang is longer
# Where every byte of content is under a checksum; elsewhere a changed number can look like another.
CHECKED = ("bundle",)


def outcomes(fixture, folder, first, count):
    """What came of each case; a case that hangs or kills its process says so."""
    command = [sys.executable, str(CHILD), fixture, str(folder), str(first), str(count)]
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
    allowed = {"same", "refused"} | ({"different"} if fixture not in CHECKED else set())
    wrong = {number: what for number, what in found.items() if what not in allowed}
    assert not wrong, f"python {CHILD} {fixture} FOLDER {min(wrong)} 1: {wrong}"
    assert Counter(found.values())["refused"] > len(found) / 4


@pytest.mark.parametrize("fixture", FIXTURES)
def test_damage(tmp_path, fixture):
    check(fixture, outcomes(fixture, tmp_path / "f", 0, 72))


@pytest.mark.slow
@pytest.mark.parametrize("fixture", FIXTURES)
def test_damage_at_length(tmp_path, fixture):
    check(fixture, outcomes(fixture, tmp_path / "f", 1000, 3000))
