"""The program that tries mutations by the hundred thousand, on a few."""

import subprocess
import sys
from pathlib import Path

import campaign
import pytest

PROGRAM = Path(campaign.__file__)


@pytest.mark.slow
def test_a_few_mutations_of_two_kinds():
    words = ["text/cuts", "stated/weights", "--mutations", "20", "--processes", "1"]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *words], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["all"][-1] == "0"
    assert sum(map(int, rows["text/cuts"])) == sum(map(int, rows["stated/weights"])) == 10
    assert "20 mutations in" in done.stdout


def test_a_case_that_hangs_or_dies_is_said_and_the_others_go_on(tmp_path, monkeypatch):
    child = tmp_path / "child.py"
    child.write_text(
        "import os, sys, time\n"
        "for number in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):\n"
        "    if number == 3: os._exit(9)\n"
        "    if number == 5: time.sleep(60)\n"
        "    print(number, 'same', flush=True)\n"
    )
    monkeypatch.setattr(campaign, "SECONDS", 1)
    found = campaign.tried("x", (str(child),), 0, 8)
    assert {number for number, what in found.items() if what != "same"} == {3, 5}
    assert found[3].startswith("ended with")
    assert found[5] == "hung"
