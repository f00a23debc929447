"""The memory that is asked for beforehand, against what processes of their own take at most."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mockgal.statistics.bispectrum.estimator import MOST_WAVES, SIDES, default_sides

HERE = Path(__file__).parent
CHILD = """
import json, sys
import numpy as np
from power_samples import catalogue
from mockgal.errors import listening
from mockgal.statistics.bispectrum import estimator
from mockgal.statistics.power import spectrum
from mockgal.system import memory

name, options = sys.argv[1], json.loads(sys.argv[2])
galaxies = catalogue(np.random.default_rng(1).random((5000, 3)) * 100, np.ones(5000))
function = {"power": spectrum.power_spectrum, "bispectrum": estimator.bispectrum}[name]
small = {"k1": 0.2, "k2": 0.25} if name == "bispectrum" else {}
with listening(quiet=True):
    function(galaxies, **options | {"grid_size": 24} | small)  # compiled, and all imported
    asked = []
    for module in (spectrum, estimator):
        module.check_memory = lambda where, size, fix: asked.append(size)
    with open("/proc/self/status") as status:
        before = next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024
    result = function(galaxies, **options)
most = memory.peak_memory() - before
field = 8 * result.settings["grid_size"] ** 3 if len(asked) > 1 else 0  # there already
print(json.dumps({"asked": max(asked[0], asked[-1] + field), "most": most}))
"""


def test_the_peak_is_that_of_the_process_itself():
    """It starts small, however large the program is that starts it."""
    held = bytearray(1 << 28)
    code = "from mockgal.system.memory import peak_memory; print(peak_memory())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(child.stdout) < len(held)


@pytest.mark.slow_but("power-options0")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("power", {"grid_size": 160}),
        ("power", {"grid_size": 128, "jackknife": 2}),
        pytest.param(
            "power",
            {"grid_size": 160, "assignment": "CIC", "interlacing": False},
            marks=pytest.mark.slow,
        ),
        ("bispectrum", {"k1": 2.0, "k2": 2.6, "jackknife": 2}),
        ("bispectrum", {"k1": 2.0, "k2": 2.6, "jackknife": 0, "grid_size": 150}),
        pytest.param("bispectrum", {"k1": 2.6, "k2": 3.4, "jackknife": 2}, marks=pytest.mark.slow),
        pytest.param("power", {"grid_size": 256}, marks=pytest.mark.slow),
    ],
)
def test_what_is_asked_for_is_what_is_taken(name, options):
    child = subprocess.run(
        [sys.executable, "-c", CHILD, name, json.dumps(options)],
        capture_output=True,
        text=True,
        cwd=HERE,
        check=False,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    assert found["asked"] == pytest.approx(found["most"], rel=0.15)


@pytest.mark.parametrize("box_size", [16.0, 75.0, 114.0, 200.0, 1000.0])
def test_default_sides_fit_the_box(box_size):
    k1, k2 = default_sides(None, None, box_size)
    waves = (k1 + k2) * box_size / (2 * 3.141592653589793)
    if box_size < 115:
        assert (k1, k2) == SIDES
    else:
        assert waves == pytest.approx(MOST_WAVES)
        assert k1 / k2 == pytest.approx(SIDES[0] / SIDES[1])
    assert default_sides(1.0, None, box_size)[0] == 1.0
    assert default_sides(None, 9.0, box_size)[1] == 9.0
