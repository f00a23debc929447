"""Compiled code gives the bits of its NumPy reference, and is compiled wherever it is installed."""

import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mockgal
from mockgal import random
from mockgal.laws.distribution import Distribution
from mockgal.painters import draw, kernels
from mockgal.painters.hod import rows as hod_rows
from mockgal.painters.hod.store import shipped

PACKAGE = Path(mockgal.__file__).parent
IDS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40)


def same(result, expected):
    """Equal bits, NaN for NaN.

    Compilers for processors other than x86-64 may contract the reference's products and sums into
    one rounding; then the last bits differ.
    """
    if os.uname().machine == "x86_64":
        assert np.array_equal(result, expected, equal_nan=True)
    else:
        np.testing.assert_allclose(result, expected, rtol=4e-16, atol=4e-16)


def nodes_left(kind, number):
    """A change that leaves a kind's median curve so many nodes."""

    def change(table):
        columns = {name: values.copy() for name, values in table.columns.items()}
        rows = table.rows(kind)
        known = np.flatnonzero(np.isfinite(columns["curve_log_mass"][rows])) + rows.start
        for name in ("curve_log_mass", "curve_log_stellar_mass"):
            columns[name][known[number:]] = np.nan
        return replace(table, columns=columns)

    return change


CHANGES = {
    "as it is": lambda table: table,
    "centrals by host mass": lambda t: replace(t, binned_by={**t.binned_by, "central": "host"}),
    "centrals by bound mass": lambda t: replace(t, binned_by={**t.binned_by, "central": "bound"}),
    "centrals without a curve": nodes_left(0, 0),
    "satellites of one median": nodes_left(1, 1),
    "a curve of two nodes": nodes_left(1, 2),
    "a low floor": lambda table: replace(table, luminosity_floor=1.0),
    "a high floor": lambda table: replace(table, luminosity_floor=10.0**10.5),
}


@given(IDS, st.integers(0, 2**63 - 1))
def test_uniform(ids, seed):
    ids = np.array(ids, dtype=np.int64)
    result = np.empty(len(ids))
    key = (np.uint64(word) for word in random.stream_key(seed, "s"))
    kernels.uniform(ids.view(np.uint64), *key, result)
    assert np.array_equal(result, random.uniform(seed, "s", ids))


@pytest.mark.parametrize("change", sorted(CHANGES))
@pytest.mark.parametrize("table", shipped(), ids=lambda table: table.name)
def test_predict_rows(table, change):
    table = CHANGES[change](table)
    generator = np.random.default_rng(1)
    n = 6000
    lowest = min(table.edges(0)[0], table.edges(1)[0]) - 0.5
    host_mass = 10.0 ** generator.uniform(lowest, table.edges(1)[-1] + 0.5, n)
    mass = host_mass * 10.0 ** generator.uniform(-2, 0, n)
    host_mass[:20], host_mass[20:40] = 0.0, 10.0 ** generator.choice(table.edges(1), 20)
    mass[40:60], mass[60:80] = 10.0 ** generator.choice(table.edges(0), 20), math.nan
    host_mass[80:100] = math.inf
    # The law needs neither ids nor places; a catalogue would refuse these masses.
    halos = {"host_mass": host_mass, "mass": mass, "is_central": generator.random(n) < 0.6}
    least = np.nanquantile(mass, 0.2)
    wanted, found = hod_rows.Prediction.of(n), hod_rows.Prediction.of(n)
    with np.errstate(invalid="ignore"):
        hosts, counts = hod_rows.predict_rows(table, halos, slice(0, n), least, wanted)
        results = [
            hod_rows.compiled(table)(halos, slice(start, start + 500), least, found)
            for start in range(0, n, 500)
        ]
    for result, expected in zip(found, wanted, strict=True):
        same(result, expected)
    assert np.array_equal(sum(result[0] for result in results), hosts)
    assert np.array_equal(sum(result[1] for result in results), counts)
    assert counts[0] > 0
    assert counts[4] > 0
    assert counts[5] > 0
    if change == "as it is":
        assert np.all(hosts > 0)
        assert len(np.unique(wanted.p_luminous[halos["is_central"]])) > 1
        assert np.ptp(wanted.location) > 0.1


@given(st.integers(0, 2**31), st.floats(-3, 3) | st.just(-math.inf))
def test_inverse_cdf(seed, floor):
    generator = np.random.default_rng(seed)
    n, rows, q = 200, 3, 12
    quantiles = np.sort(generator.integers(-8, 8, (rows, q)) / 4.0, axis=1)  # with ties
    d = Distribution(
        p_luminous=np.ones(n),
        location=generator.normal(0, 1, n),
        scale=generator.choice([0.5, 1.0, 2.0], n),
        residual_row=generator.integers(0, rows, n),
        residual_probability=np.sort(np.concatenate([[0, 1], generator.random(q - 2)])),
        residual_quantiles=quantiles,
        floor=floor,
        extrapolated=np.zeros(n, dtype=bool),
    )
    u = generator.random(n)
    result = u.copy()
    kernels.inverse_cdf(
        d.location,
        d.scale,
        d.residual_row,
        d.residual_probability,
        quantiles,
        kernels.slopes(d.residual_probability, quantiles),
        kernels.slopes(quantiles, d.residual_probability[None]),
        floor,
        result,
    )
    same(result, draw.inverse_cdf(d, u))


def test_exact_sums():
    generator = np.random.default_rng(5)
    values = np.concatenate(
        [generator.random(4000), 10.0 ** generator.uniform(-20, 0, 4000), [0.0, 1.0, 1.0]]
    )
    group = generator.integers(0, 2, len(values)).astype(np.uint8)
    limbs = np.zeros((2, kernels.LIMBS), dtype=np.int64)
    assert kernels.add_exactly(values, group, limbs)
    for g in (0, 1):
        assert kernels.exact_value(limbs[g]) == math.fsum(values[group == g])
    for bad in (-1e-300, np.nextafter(1, 2), math.nan, math.inf):
        assert not kernels.add_exactly(np.array([bad]), np.zeros(1, np.uint8), limbs)


def draw_in_another_process(package_root, **environment):
    """Load the kernels and use one; gives what it printed."""
    code = (
        "import numpy as np; from mockgal.painters import kernels as k; out = np.empty(1);"
        "k.uniform(np.array([7], np.uint64), np.uint64(3), np.uint64(4), out); print(out[0])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(package_root), **environment},
        cwd=package_root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.fixture
def copied(tmp_path):
    """A copy of the package, to spoil its cache."""
    folder = tmp_path / "installed"
    shutil.copytree(PACKAGE, folder / "mockgal", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def expected():
    result = np.empty(1)
    kernels.uniform(np.array([7], np.uint64), np.uint64(3), np.uint64(4), result)
    return result[0]


@pytest.mark.slow
def test_nowhere_to_keep_compiled_code(copied, tmp_path, expected):
    # Files where folders would be made: as good as no permission, and for root, too.
    for module in (copied / "mockgal").rglob("__init__.py"):
        (module.parent / "__pycache__").write_text("")
    blocked = tmp_path / "file"
    blocked.write_text("")
    nowhere = {name: str(blocked / "x") for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")}
    assert draw_in_another_process(copied, **nowhere) == expected
    assert not list(tmp_path.rglob("*.nbi"))


@pytest.mark.slow
def test_damaged_compiled_code(copied, tmp_path, expected):
    cache = tmp_path / "cache"
    assert draw_in_another_process(copied, NUMBA_CACHE_DIR=str(cache)) == expected
    files = [*cache.rglob("*.nbi"), *cache.rglob("*.nbc")]
    assert len(files) > 10
    for number, path in enumerate(files):
        path.write_bytes(path.read_bytes()[: 20 * number])
    assert draw_in_another_process(copied, NUMBA_CACHE_DIR=str(cache)) == expected
