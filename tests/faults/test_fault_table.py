"""The table of faults and the tests agree: what it calls tested is, and ends as it says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fault_table import FAULTS, GROUPS, claims

ROOT = Path(__file__).parents[2]
COLLECT = """
import json, sys
import pytest

class Claims:
    def pytest_collection_finish(self, session):
        with open(sys.argv[1], "w") as file:
            json.dump(session.claims, file)

sys.exit(pytest.main(["--collect-only", "-p", "no:cacheprovider"], [Claims()]))
"""


@pytest.fixture(scope="module")
def tests(request, tmp_path_factory):
    """What pytest collects of tests that claim a fault."""
    asked = [Path(name).resolve() for name in request.config.args]
    if asked == [ROOT / "tests"]:
        return request.session.claims
    out = tmp_path_factory.mktemp("collected") / "tests.json"
    done = subprocess.run(
        [sys.executable, "-c", COLLECT, out], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return json.loads(out.read_text())


def of(tests, number):
    return [test for test in tests if number in test["numbers"]]


def test_every_number_is_there_once():
    numbers = [fault.number for group in GROUPS for fault in group.faults]
    assert numbers == list(range(1, len(FAULTS) + 1))
    assert [group.letter for group in GROUPS] == list("ABCDEFGHIJK")


def test_each_claim_is_of_a_fault_that_a_part_can_meet(tests):
    known = {number for number, fault in FAULTS.items() if not fault.no_part}
    for test in tests:
        assert test["numbers"]
        assert set(test["numbers"]) <= known, test


@pytest.mark.parametrize("number", FAULTS)
def test_every_fault_that_a_part_can_meet_has_a_test(tests, number):
    runs = [test for test in of(tests, number) if not test["skipped"]]
    assert bool(runs) != bool(FAULTS[number].no_part)
    for test in runs:
        assert str(number) in re.findall(r"\d+", test["name"]), "the id tells the number"


@pytest.mark.parametrize("number", [n for n, f in FAULTS.items() if not f.no_part])
def test_exit_codes_are_those_of_the_table(tests, number):
    """One test at least compares with the table, by one of the fixtures that give its code."""
    if any(FAULTS[number].exit_codes):
        takers = {"refused", "exit_code", "exit_codes"}
        assert any(takers & set(test["fixtures"]) for test in of(tests, number))


def test_the_page_names_the_files_of_the_tests(tests):
    """The page takes the claims from the text of the tests, without running pytest."""
    claimed = claims()
    for number in FAULTS:
        assert claimed.get(number, []) == sorted({test["file"] for test in of(tests, number)})


def test_claims_are_found(tmp_path):
    (tmp_path / "test_x.py").write_text(
        "import pytest\n"
        "@pytest.mark.fault(3, 5)\n"
        "@pytest.mark.parametrize('a', [case(7, 2), pytest.param(1, marks=pytest.mark.fault(5))])\n"
        "def test_x(a): fault('no number'); other(9)\n"
    )
    (tmp_path / "helper.py").write_text("case(11)\n")
    assert claims(tmp_path) == {3: ["test_x.py"], 5: ["test_x.py"], 7: ["test_x.py"]}
