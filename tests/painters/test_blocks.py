"""Large catalogues: the bits of small ones, whatever the threads, blocks and order of rows."""

import math
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from mockgal import random
from mockgal.errors import BadValueError, DomainError, InternalError
from mockgal.painters import blocks, draw
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.store import named
from mockgal.testing import painter_contract, synthetic_pair
from mockgal.types import HaloCatalog, Scene

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


@pytest.fixture(scope="module")
def painter():
    return HODPainter(named("gadget4-z0.00"), allow_extrapolation=True)


@pytest.fixture(scope="module")
def scene(painter):
    """Subhalos of which some are unresolved, too light, or too heavy for the table."""
    dark = synthetic_pair(3000, particle_mass=painter.calibration.particle_mass)[1]
    columns = dict(dark.halos.columns)
    factor = 10.0 ** np.random.default_rng(4).uniform(-1.5, 0.0, len(dark.halos))
    columns["mass"] = columns["mass"] * factor
    least = float(10.0 ** painter.calibration.edges(0)[0])
    columns["host_mass"] = columns["host_mass"] * np.where(columns["host_id"] % 11 == 0, 1e-4, 1)
    assert columns["host_mass"].min() < least
    return Scene(dark.snapshot, HaloCatalog(columns, dark.halos.mass_definition))


@pytest.fixture(scope="module")
def expected(scene, painter):
    """What NumPy alone gives."""
    assert len(scene.halos) < blocks.LARGE
    return draw.paint_scene(scene, painter, seed=3)


@pytest.fixture
def large(monkeypatch):
    """Treat everything as large."""
    monkeypatch.setattr(blocks, "LARGE", 1)


@pytest.mark.parametrize("count", ["1", "2", "5"])
@pytest.mark.parametrize("block_rows", [333, 1 << 15])
def test_the_same_galaxies(scene, painter, expected, large, monkeypatch, count, block_rows):
    monkeypatch.setenv("NUMBA_NUM_THREADS", count)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", block_rows)
    galaxies = draw.paint_scene(scene, painter, seed=3)
    assert 1000 < len(galaxies) < len(scene.halos)
    for name, values in expected.columns.items():
        assert values.dtype == galaxies[name].dtype
        assert np.array_equal(values, galaxies[name]), name
    assert galaxies.digest() == expected.digest()
    assert galaxies.provenance == expected.provenance
    counts = galaxies.provenance["painter"]["prediction"]
    for name in ("unresolved", "centrals_below_range", "satellites_below_range"):
        assert counts[f"not_painted_{name}"] > 0
    assert counts["hosts_above_range"] > 0


def test_the_order_of_rows_and_the_pieces_do_not_matter(scene, painter, expected, large):
    halos = scene.halos
    order = np.random.default_rng(0).permutation(len(halos))
    shuffled = draw.paint_scene(replace(scene, halos=halos.take(order)), painter, seed=3)
    assert shuffled.digest() == expected.digest()
    assert shuffled.provenance == expected.provenance
    pieces = [
        draw.paint_scene(
            replace(scene, halos=halos.take(np.flatnonzero(halos["host_id"] % 3 == part))),
            painter,
            seed=3,
        )
        for part in range(3)
    ]
    assert draw.join(pieces, scene).digest() == expected.digest()


def test_the_contract(scene, painter, large):
    painter_contract(painter, scene)


def test_columns_as_they_lie_in_a_file(scene, painter, expected, large):
    halos = scene.halos
    packed = np.empty(
        len(halos),
        dtype=[("flag", "?")] + [(name, v.dtype, v.shape[1:]) for name, v in halos.columns.items()],
    )
    for name, values in halos.columns.items():
        packed[name] = values
    strided = {name: packed[name] for name in halos.columns}
    assert not strided["mass"].flags.aligned
    again = replace(scene, halos=replace(halos, columns=strided))
    assert draw.paint_scene(again, painter, seed=3).digest() == expected.digest()


def test_tables_without_a_twin(scene, large, monkeypatch):
    painter = HODPainter(named("tng100-1"), allow_extrapolation=True, missing_twin="uncorrected")
    columns = dict(scene.halos.columns)
    columns["host_mass"] = np.maximum(columns["host_mass"], 1e12)  # more than the stars in them
    scene = replace(scene, halos=replace(scene.halos, columns=columns))
    compiled = draw.paint_scene(scene, painter, seed=1)
    monkeypatch.setattr(blocks, "LARGE", sys.maxsize)
    assert len(compiled) > 100
    assert compiled.digest() == draw.paint_scene(scene, painter, seed=1).digest()


def test_refusals_are_those_of_small_catalogues(scene, painter, large):
    with pytest.raises(DomainError, match="above 10"):
        replace(painter, allow_extrapolation=False).predict(scene)
    columns = dict(scene.halos.columns)
    central = columns["is_central"] & (columns["mass"] > 1e12)
    columns["host_mass"] = np.where(central, 0.0, columns["host_mass"])
    massless = replace(scene, halos=replace(scene.halos, columns=columns))
    with pytest.raises(BadValueError, match=f"{np.sum(central)} resolved centrals"):
        draw.paint_scene(massless, painter, seed=1)


@pytest.mark.parametrize("least", [1, sys.maxsize])
def test_predictions_that_do_not_fit_together_are_refused(scene, painter, monkeypatch, least):
    monkeypatch.setattr(blocks, "LARGE", least)
    good, ids = painter.predict(scene), scene.halos["halo_id"]
    row = good.residual_row.astype(np.int64)
    for bad in (
        {"residual_row": row + len(good.residual_quantiles)},
        {"residual_row": row - 50},
        {"residual_probability": good.residual_probability[:-1]},
    ):
        with pytest.raises(InternalError, match="residual rows"):
            draw.draw(replace(good, **bad), ids, seed=1)


def test_predictions_of_other_types(scene, painter, large):
    good, ids = painter.predict(scene), scene.halos["halo_id"]
    other = replace(
        good,
        scale=np.ones(len(good), dtype=np.float32),
        residual_row=good.residual_row.astype(np.int32)[::-1][::-1],
        p_luminous=np.repeat(good.p_luminous, 2)[::2],
    )
    for result, wanted in zip(
        draw.draw(other, ids, seed=1), draw.draw(good, ids, seed=1), strict=True
    ):
        assert np.array_equal(result, wanted)
    assert blocks.sums(other.p_luminous, ids % 2 == 0) == blocks.sums(good.p_luminous, ids % 2 == 0)


def test_global_state_is_left_as_found(scene, painter, large):
    import numba

    before = (
        repr(np.random.get_state(legacy=False)),  # noqa: NPY002
        np.geterr(),
        numba.get_num_threads(),
        threading.active_count(),
    )
    draw.paint_scene(scene, painter, seed=3)
    assert before == (
        repr(np.random.get_state(legacy=False)),  # noqa: NPY002
        np.geterr(),
        numba.get_num_threads(),
        threading.active_count(),
    )


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 95])
@pytest.mark.parametrize("count", ["1", "3"])
def test_over_blocks(rows, count, large, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", count)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 10)
    parts = blocks.over_blocks(lambda part: list(range(part.start, part.stop)), rows)
    assert [row for part in parts for row in part] == list(range(rows))
    assert all(len(part) <= 10 for part in parts)


def test_errors_of_a_block_are_raised(large, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 1)
    with pytest.raises(ZeroDivisionError):
        blocks.over_blocks(lambda part: 1 // (part.start - 2), 5)


@pytest.mark.parametrize(("given", "wanted"), [("3", 3), ("0", 1), ("-2", 1), ("999", 16)])
def test_threads_asked_for(monkeypatch, given, wanted):
    monkeypatch.setenv("NUMBA_NUM_THREADS", given)
    assert blocks.threads() == wanted


@pytest.mark.parametrize("given", [None, "", "many"])
def test_threads_by_default(monkeypatch, given):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("NUMBA_NUM_THREADS", given)
    assert 1 <= blocks.threads() <= 16


def test_aside_runs_meanwhile_and_errors_do_not_wait_for_it():
    def main_thread():
        return threading.current_thread() is threading.main_thread()

    with blocks.aside(main_thread, blocks.LARGE - 1) as result:
        assert result()
    with blocks.aside(main_thread, blocks.LARGE) as result:
        assert not result()
        assert not result()
    release = threading.Event()
    started = time.monotonic()
    with pytest.raises(KeyError), blocks.aside(lambda: release.wait(60), blocks.LARGE):
        raise KeyError
    assert time.monotonic() - started < 30
    release.set()


def test_what_runs_aside_has_a_processor(large, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 1)

    def in_main_thread():
        here = threading.main_thread()
        return all(blocks.over_blocks(lambda _: threading.current_thread() is here, 4))

    release = threading.Event()
    with blocks.aside(lambda: release.wait(60), 1) as result:
        assert in_main_thread()
        release.set()
        assert result()
        assert not in_main_thread()
    assert not in_main_thread()


def test_sums(large):
    generator = np.random.default_rng(1)
    values = generator.random(100_000) ** 9
    chosen = generator.random(len(values)) < 0.3
    wanted = math.fsum(values[chosen]), math.fsum(values[~chosen])
    assert blocks.sums(values, chosen) == wanted
    assert blocks.sums(values[::-1], chosen[::-1]) == wanted
    outside = values * 1e6  # not probabilities: slower, and as exact
    assert blocks.sums(outside, chosen) == (
        math.fsum(outside[chosen]),
        math.fsum(outside[~chosen]),
    )
    assert blocks.sums(values[:0], chosen[:0]) == (0.0, 0.0)


def test_take(large, monkeypatch):
    generator = np.random.default_rng(1)
    columns = {
        "float": generator.random((70_000, 3)),
        "int": generator.integers(-(2**63), 2**63 - 1, 70_000),
        "bool": generator.random(70_000) < 0.5,
    }
    columns["int"][:2] = 0x7FF0000000000001, 0x7FF4000000000000  # as floats, signalling NaN
    wanted = {"z": ("float", 2), "int": "int", "again": "int", "bool": "bool"}
    for rows in (generator.integers(0, 70_000, 90_000), np.arange(3), np.empty(0, dtype=np.int64)):
        found = blocks.take(columns, wanted, rows)
        assert set(found) == set(wanted)
        for name, source in (("z", columns["float"][:, 2]), ("again", columns["int"])):
            assert found[name].dtype == source.dtype
            assert np.array_equal(found[name], source[rows])
        assert np.array_equal(found["bool"], columns["bool"][rows])


def test_few_of_many_rows_are_shared_out(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    n = 2 * blocks._LEAST_BLOCK + 1
    for of, most in ((None, n), (blocks.LARGE, n // 2 + 1), (10**9, n // 2 + 1)):
        parts = blocks.over_blocks(lambda part: part, n, of=of)
        assert [row for part in parts for row in range(part.start, part.stop)] == list(range(n))
        assert max(part.stop - part.start for part in parts) == most


def test_all_rows_of_a_block_are_a_slice():
    part = slice(3, 7)
    assert blocks.chosen_of(np.ones(4, dtype=bool), part) == part
    some = blocks.chosen_of(np.array([False, True, False, True]), part)
    assert np.array_equal(some, [4, 6])


def test_small_catalogues_do_without_compiled_code(demo_bundle):
    code = (
        "import sys, mockgal, warnings; warnings.simplefilter('ignore');"
        f"mockgal.paint(mockgal.read({str(demo_bundle)!r}), 'hod', seed=1);"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_really_large_catalogues_take_compiled_code(painter):
    """The switch itself: nothing is patched."""
    n = blocks.LARGE
    ids = np.arange(n)
    good = painter.predict(synthetic_pair(10, particle_mass=1e9)[1])
    d = replace(
        good,
        p_luminous=np.full(n, 0.1),
        location=np.full(n, 10.0),
        scale=np.broadcast_to(1.0, n),
        residual_row=np.zeros(n, dtype=np.uint8),
        extrapolated=np.zeros(n, dtype=bool),
    )
    rows, log_mass = draw.draw(d, ids, seed=2)
    assert "mockgal.painters.kernels" in sys.modules
    assert np.array_equal(rows, np.flatnonzero(random.uniform(2, "luminous", ids) < 0.1))
    u = random.uniform(2, "stellar_mass", rows)
    assert np.array_equal(log_mass, draw.inverse_cdf(d.take(rows), u))
