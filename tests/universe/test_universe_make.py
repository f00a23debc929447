"""A small universe, made, written and read; the law that was put in is found again."""

import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import mockgal
from mockgal.calibration.matching.match import match
from mockgal.calibration.matching.twins import check_twins
from mockgal.errors import OutputError, OutputExistsError, UsageError
from mockgal.theory.abundance import halo_abundance
from mockgal.universe import Law, Run, make_universe, write_universe
from mockgal.universe.__main__ import main
from mockgal.universe.galaxies import galaxies
from mockgal.universe.halos import SHELL
from mockgal.universe.initial import Particles
from mockgal.universe.make import COSMOLOGY

SMALL = Run(box_size=12.0, side=48, steps=12)
TINY = Run(box_size=6.0, side=24, steps=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("universe")


@pytest.fixture(scope="module")
def universe(folder):
    return write_universe(folder, 1, run=SMALL)


def test_read_back_they_are_twins(universe, folder):
    hydro, dark = (mockgal.read(folder / f"{name}.hdf5") for name in ("hydro", "dark"))
    assert check_twins(hydro, dark)["phases"]["conclusion"] == "the same phases"
    pairs = match(hydro, dark)
    assert len(pairs) == len(dark.halos) == len(universe.dark.halos)
    ids = hydro.halos["halo_id"][pairs.hydro_rows], dark.halos["halo_id"][pairs.dark_rows]
    assert np.array_equal(*ids)
    assert np.array_equal(hydro.halos["stellar_mass"], universe.galaxies.stellar_mass)
    assert "stellar_mass" not in dark.halos
    assert dark.particles.count == SMALL.side**3
    assert hydro.particles is None
    record = hydro.snapshot.record
    assert record["seed"] == 1
    assert "made_up" in record
    assert record["stellar_mass_law"] == universe.galaxies.record
    assert record["run"] == asdict(SMALL)
    assert dark.snapshot.cosmology == COSMOLOGY
    numbers = "seed 1, 48^3 particles in 12 Mpc/h"  # universes of one name have one structure
    names = [run.snapshot.name for run in (dark, hydro)]
    assert names == [f"synthetic {kind} ({numbers})" for kind in ("dark", "hydro")]


def test_stellar_mass_is_the_sum_of_its_terms(universe):
    found, halos, law = universe.galaxies, universe.halos.catalog, Law()
    luminous = found.stellar_mass > 0
    assert 0.2 < luminous.mean() < 1.0
    total = found.mean + found.environment + found.scatter
    assert np.log10(found.stellar_mass[luminous]) == pytest.approx(total[luminous], rel=1e-12)
    x = halos["mass"] / 10**law.log_pivot
    expected = halos["mass"] * law.ratio / (x**-law.low + x**law.high)
    assert 10**found.mean == pytest.approx(expected)
    central = halos["is_central"]
    assert found.environment[central].std() == pytest.approx(0.3, rel=1e-9)
    assert found.environment[central].mean() == pytest.approx(0.0, abs=1e-9)
    surroundings = universe.halos.surroundings
    line = np.polyfit(surroundings, found.environment, 1)
    assert found.environment == pytest.approx(np.polyval(line, surroundings), abs=1e-9)
    assert line[0] > 0
    assert np.array_equal(found.environment, found.environment[halos.host_row])
    assert found.record["shell_mpc_h"] == SHELL == 0.5
    json.dumps(found.record)


def made_catalogue(universe, copies=200):
    """Many subhalos like those of a universe, under other ids."""
    halos = universe.halos
    rows = np.tile(np.flatnonzero(halos.catalog["is_central"]), copies)
    columns = {name: values[rows] for name, values in halos.catalog.columns.items()}
    columns["halo_id"] = columns["host_id"] = np.arange(len(rows))
    catalog = mockgal.types.HaloCatalog(columns, "200m")
    return replace(halos, catalog=catalog, radius=None, surroundings=halos.surroundings[rows])


def test_draws_follow_the_law(universe):
    many = made_catalogue(universe)
    found, law = galaxies(many, Law(), seed=5), Law()
    luminous = found.stellar_mass > 0
    residual = np.log10(found.stellar_mass[luminous]) - found.mean[luminous]
    residual = (residual - found.environment[luminous]) / law.scatter
    assert stats.kstest(residual, "norm").pvalue > 1e-3
    log_mass = np.log10(many.catalog["mass"])
    share = law.luminous_probability(log_mass)
    excess = (luminous - share).sum() / np.sqrt((share * (1 - share)).sum())
    assert abs(excess) < 4
    assert np.all(np.diff(law.luminous_probability(np.linspace(9, 14, 20))) > 0)
    assert law.luminous_probability(law.log_luminous) == pytest.approx(0.5)


def test_draws_are_keyed_by_halo(universe):
    many = made_catalogue(universe, 3)
    found = galaxies(many, Law(), seed=5)
    order = np.random.default_rng(1).permutation(len(many.catalog))
    other = replace(many, catalog=many.catalog.take(order), surroundings=many.surroundings[order])
    moved = galaxies(other, Law(), seed=5)
    assert np.array_equal(moved.scatter, found.scatter[order])
    assert np.array_equal(moved.stellar_mass > 0, (found.stellar_mass > 0)[order])
    assert not np.array_equal(galaxies(many, Law(), seed=6).scatter, found.scatter)


def test_hosts_of_the_universe_by_the_definition(universe):
    from test_universe_halos import by_definition

    position = np.concatenate([chunk.position for chunk in universe.dark.particles.chunks(5000)])
    by_definition(Particles(position, position), universe.dark.snapshot, universe.halos)


def test_groups_are_as_many_as_expected(universe):
    """Within a factor of two of Sheth and Tormen where groups have 60 particles or more."""
    mass = universe.halos.catalog["host_mass"]
    log_mass = np.arange(np.log10(60 * SMALL.particle_mass), 15, 0.05)
    expected = np.sum(halo_abundance(COSMOLOGY, log_mass)) * 0.05 * SMALL.box_size**3
    central = universe.halos.catalog["is_central"] & (mass > 60 * SMALL.particle_mass)
    assert 0.5 < central.sum() / expected < 2.0


def test_threads_do_not_matter_and_seeds_do(monkeypatch):
    made = []
    for seed, number in ((2, "1"), (2, "3"), (3, "2")):
        monkeypatch.setenv("NUMBA_NUM_THREADS", number)
        made.append(make_universe(seed, run=TINY))
    a, b, c = made
    assert a.hydro.halos.digest() == b.hydro.halos.digest() != c.hydro.halos.digest()
    positions = [next(u.dark.particles.chunks()).position for u in made]
    assert np.array_equal(positions[0], positions[1])
    assert not np.array_equal(positions[0], positions[2])


def test_command(tmp_path):
    arguments = [str(tmp_path / "new"), "--seed=2", "--side=24", "--box-size=6"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "gravity: 40 of 40" in done.stderr
    assert "all made up" in done.stdout
    assert mockgal.read(tmp_path / "new/hydro.hdf5").snapshot.record["seed"] == 2
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert "dark.hdf5" in again.stderr
    assert "Traceback" not in again.output


def test_refusals(tmp_path):
    (tmp_path / "dark.hdf5").write_text("mine")
    with pytest.raises(OutputExistsError):
        write_universe(tmp_path, 1, run=TINY)
    with pytest.raises(OutputError, match="dark"):
        write_universe(tmp_path / "dark.hdf5", 1, run=TINY)
    with pytest.raises(UsageError, match="side 25"):
        Run(side=25)
    for size in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="a box of"):
            Run(box_size=size)
    with pytest.raises(UsageError, match="seed"):
        make_universe(-1, run=TINY)
    with pytest.raises(UsageError, match="two or more"):
        make_universe(1, run=Run(box_size=100.0, side=8, steps=2))


@pytest.mark.slow
def test_default_universe():
    universe = make_universe(1)
    halos, found = universe.halos, universe.galaxies
    central = halos.catalog["is_central"]
    assert central.sum() >= 3000
    assert found.environment[central].std() == pytest.approx(0.3, rel=0.05)
    assert found.scatter.std() == pytest.approx(0.15, rel=0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_command(number, tmp_path):
    folder = tmp_path / "made"
    command = [sys.executable, "-m", "mockgal.universe", folder, "--seed", "1", "--side", "32"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("gravity"):
                break
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert "interrupted" in said
    assert not folder.exists() or not list(folder.iterdir())
