"""Commands and Python of the documentation run, page by page, in a folder of their own.

A table says which files a page finds there: small ones under the names that the page uses. What
cannot be run is marked in the page itself, with the reason.
"""

import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from astropy.table import Table
from docs_blocks import CELL, RUN, blocks_of, run_page

import mockgal
from mockgal.cosmology import CRITICAL_DENSITY
from mockgal.statistics.power import spectrum
from mockgal.testing.compaso import write_compaso, write_light_cone
from mockgal.testing.quijote import BOX_SIZE, made_up_groups, write_groups
from mockgal.testing.subfind import write_arepo
from mockgal.testing.universes import synthetic_pair
from mockgal.types import HaloCatalog
from mockgal.writers.bundle import write_bundle

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "catalogs/demo/dark.hdf5"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if "decisions" not in page.parts]
NEWCOMER = ("README.md", "first-mock.md")
APART = (*NEWCOMER, "extend.md")  # run by other tests: below, and in test_docs_extend.py
MINUTES = (
    *("own-weights.md", "measure-a-mock.md", "scripts-and-shells.md", "density-fields.md"),
    *("paint-with-the-network.md", "convert-published-weights.md", "compare-mocks.md"),
    *("calibrate-the-hod.md", "measure-on-the-sky.md", "many-mocks.md", "fit-an-hod.md"),
)
WITH_CODE = [p for p in PAGES if any(b.language in RUN and not b.reason for b in blocks_of(p))]


def bundle_of_the_demo(name):
    """The demo's simulation under another name: formats are found from the content."""

    def make(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DEMO, path)

    return make


def files_of_the_page(name):
    """The files whose content the page shows."""

    def make(folder):
        for block in blocks_of(ROOT / "docs" / name):
            if block.file:
                (folder / block.file).write_text(block.text)

    return make


def weights(name):
    def make(folder):
        shutil.copy(ROOT / "mockgal/painters/cnn/networks/gadget4-demo.safetensors", folder / name)

    return make


def mock(name, units="h-free"):
    def make(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with mockgal.errors.listening(quiet=True):
            galaxies = mockgal.paint(mockgal.read(DEMO), "hod", seed=1)
        mockgal.write(galaxies, path, units=units)

    return make


def hosts(folder):
    sim = mockgal.read(DEMO)
    central = np.flatnonzero(sim.halos["is_central"])
    write_bundle(replace(sim, halos=sim.halos.take(central), particles=None), folder / "halos.hdf5")


def halotools_table(folder):
    sys.path.insert(0, str(ROOT / "tests/readers"))
    import halotools_samples
    import rockstar_samples

    sim = mockgal.read(DEMO)
    columns = halotools_samples.columns(sim)
    density = sim.snapshot.cosmology
    mean = density.omega_m * density.critical_density(0.0)
    columns["halo_m200m"] = columns["halo_m200c"] * 1.3
    columns["halo_r200m"] = (columns["halo_m200m"] / (200 * mean * 4 / 3 * np.pi)) ** (1 / 3)
    virial = rockstar_samples.virial_density(0.0) * 4 / 3 * np.pi
    columns["halo_rvir"] = (columns["halo_mvir"] / virial) ** (1 / 3)
    columns["halo_nfw_conc"] = np.full(len(columns["halo_mvir"]), 8.0)
    stated = halotools_samples.facts(sim)
    for name in ("h", "omega_m", "omega_lambda"):
        del stated[name]
    halotools_samples.write_table(folder / "halos.hdf5", columns, stated)


def pair(hydro_name, dark_name, seed=1):
    def make(folder):
        hydro, dark = synthetic_pair(600, seed=seed, box_size=60.0)
        record = {**hydro.snapshot.record, "star_particle_mass_msun_h": 1e6}
        hydro = replace(hydro, snapshot=replace(hydro.snapshot, record=record))
        for name, scene in ((hydro_name, hydro), (dark_name, dark)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_bundle(scene, folder / name)

    return make


def checkpoint(folder):
    sys.path[:0] = [str(ROOT / "tests/painters"), str(ROOT / "tests/painters/cnn")]
    import test_checkpoint

    test_checkpoint.save(folder / "best.ckpt", test_checkpoint.checkpoint(), False)


def matter(folder):
    """The demo's particles in binary, and their density on a grid."""
    sys.path.insert(0, str(ROOT / "tests/readers"))
    import matter_samples

    scene = mockgal.read(DEMO)
    matter_samples.write_particles("gadget-2", folder / "snapdir_004/snap_004", scene)
    mockgal.field(DEMO, folder / "field.hdf5", grid_size=16, origin="centre", subhalos=False)
    values = mockgal.read(DEMO, matter=folder / "field.hdf5").field.read_slab(0, 16)
    np.save(folder / "delta.npy", values / values.mean() - 1)


def quijote(folder):
    """512^3 particles in 1000 Mpc/h, of Omega_m = 0.3175."""
    groups = made_up_groups()
    groups["position"] = groups["position"] * 1000.0 / BOX_SIZE
    write_groups(
        folder / "Quijote/Halos/FoF/fiducial/0",
        **groups,
        particle_mass=0.3175 * CRITICAL_DENSITY * (1000.0 / 512) ** 3,
        redshift=0.0,
        output=4,
    )


def abacus(folder):
    write_compaso(folder, name="AbacusSummit_base_c000_ph000", redshift=0.5, superslabs=6)
    write_light_cone(folder / "AbacusSummit_base_c000_ph001", redshift=2.25)


def part_of_a_catalogue(folder):
    groups = write_arepo(folder / "TNG100-1", files=4, number=99, snapshots=False)
    sorted(Path(groups).glob("*.hdf5"))[-1].unlink()


def lists(folder):
    """One with comments, one without the mass of a particle, one with nothing but the columns."""
    sys.path.insert(0, str(ROOT / "tests/readers"))
    import rockstar_samples

    (folder / "hlists").mkdir()
    rockstar_samples.Sample("hlist").write(folder / "hlist_1.00000.list")
    rockstar_samples.Sample("out").write(folder / "out_12.list")
    bare = rockstar_samples.Sample("out", box_size=16.0)
    bare.comments = []
    bare.write(folder / "out_2.parents")
    rockstar_samples.Sample("hlist").write(folder / "hlists/hlist_1.00000.list")


def soap(folder):
    sys.path[:0] = [str(ROOT / "tests/readers/tables/known"), str(ROOT / "tests/readers")]
    import test_known_soap

    test_known_soap.write(folder / "halo_properties_0077.hdf5")


def groups_of_fastpm(folder):
    sys.path[:0] = [str(ROOT / "tests/readers/tables/known"), str(ROOT / "tests/readers")]
    import test_known_bigfile

    test_known_bigfile.fastpm(folder / "fof_0.5000")
    test_known_bigfile.mpgadget(folder / "PIG_004")


def inputs_of_the_hod(folder):
    """The demo as it is; its hosts as if their masses were 200m; and the page's recipe."""
    shutil.copy(DEMO, folder / "dark.hdf5")
    sim = mockgal.read(DEMO, drop_bad=True)
    halos = sim.halos.with_mass_definition("200m")
    central = halos.take(np.flatnonzero(halos["is_central"]))
    write_bundle(replace(sim, halos=central, particles=None), folder / "halos.hdf5")
    page = (ROOT / "docs/how-to/hod-parameters.md").read_text(encoding="utf-8")
    (folder / "hod.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])


def with_peaks(folder):
    """The demo as a list with a history has it; and the files of the page."""
    sim = mockgal.read(DEMO)
    columns = dict(sim.halos.columns)
    more = np.where(columns["is_central"], 1.0, 1.5)
    columns |= {
        "peak_mass": more * columns["mass"],
        "peak_vmax": np.cbrt(more) * columns["vmax"],
        "vmax_at_peak_mass": columns["vmax"],
        "peak_mass_scale": 1 / more,
    }
    halos = HaloCatalog(columns, sim.halos.mass_definition)
    write_bundle(replace(sim, halos=halos, particles=None), folder / "hlist_1.00000.list")
    page = (ROOT / "docs/how-to/abundance-matching.md").read_text(encoding="utf-8")
    (folder / "mine.txt").write_text(page.split("```text\n")[1].split("```")[0])
    (folder / "sham.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])


def table_of_halos(folder):
    sys.path.insert(0, str(ROOT / "tests/readers"))
    import rockstar_samples

    table = rockstar_samples.universe()
    columns = {name: table[name] for name in ("id", "upid", *"xyz", "vx", "vy", "vz")}
    Table({**columns, "m200c": table["m200c"], "mvir": table["mvir"]}).write(folder / "halos.csv")


def table_with_further_columns(folder):
    table_of_halos(folder)
    table, draw = Table.read(folder / "halos.csv"), np.random.default_rng(1)
    table["vpeak"] = 200 * (table["mvir"] / 1e12) ** (1 / 3) * draw.lognormal(0, 0.1, len(table))
    table["formation_redshift"] = draw.uniform(0.2, 3.0, len(table))
    table.write(folder / "halos.csv", overwrite=True)


OF_PAGES = {
    "abundance-matching.md": [bundle_of_the_demo("dark.hdf5"), with_peaks],
    "bring-your-own-columns.md": [table_with_further_columns],
    "README.md": [bundle_of_the_demo("output/groups_002")],
    "first-mock.md": [],
    "calibrate-the-hod.md": [
        pair("hydro/groups_099", "dark/groups_099"),
        pair("A/hydro", "A/dark", 2),
        pair("B/hydro", "B/dark", 3),
    ],
    "clustering-codes.md": [mock("mock.fits")],
    "compare-mocks.md": [mock("demo/mock.fits")],
    "convert-published-weights.md": [checkpoint],
    "covariance.md": [bundle_of_the_demo("dark.hdf5")],
    "density-fields.md": [lambda folder: (folder / "demo").mkdir()],
    "galaxies-of-a-model.md": [bundle_of_the_demo("dark.hdf5")],
    "halotools.md": [halotools_table],
    "hod-parameters.md": [inputs_of_the_hod],
    "fit-an-hod.md": [inputs_of_the_hod],
    "hosts-without-subhalos.md": [hosts],
    "builds-in-parts.md": [bundle_of_the_demo("dark.hdf5")],
    "many-mocks.md": [bundle_of_the_demo("dark.hdf5")],
    "output-files.md": [bundle_of_the_demo("dark.hdf5")],
    "matter-beside-halos.md": [bundle_of_the_demo("halos.hdf5"), matter],
    "measure-a-mock.md": [
        mock("demo/mock.fits"),
        mock("demo/mock-cnn.fits"),
        pair("hydro/groups_099", "dark/groups_099"),
    ],
    "paint-with-the-network.md": [bundle_of_the_demo("dark.hdf5"), weights("net.safetensors")],
    "populate.md": [hosts],
    "read-your-simulation.md": [
        soap,
        groups_of_fastpm,
        bundle_of_the_demo("output/groups_002"),
        part_of_a_catalogue,
        lists,
        quijote,
        abacus,
    ],
    "scripts-and-shells.md": [bundle_of_the_demo("dark.hdf5")],
    "survey.md": [files_of_the_page("how-to/survey.md")],
    "tables.md": [table_of_halos],
    "use-the-catalogue.md": [bundle_of_the_demo("dark.hdf5")],
    "verify-and-reproduce.md": [
        bundle_of_the_demo("dark.hdf5"),
        lambda folder: (folder / "simulations").mkdir(),
    ],
    "weights.md": [mock("mock.fits")],
    "density-grid.md": [
        lambda folder: mockgal.field(DEMO, folder / "stellar_mass.hdf5", grid_size=16)
    ],
}


@pytest.fixture
def folder(tmp_path, monkeypatch, halotools):
    """An empty folder to run in, with the checkout's `catalogs`; nothing of the process stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    (tmp_path / "catalogs").symlink_to(ROOT / "catalogs")
    backend, handlers = matplotlib.get_backend(), [signal.SIGTERM, signal.SIGINT]
    before = {number: signal.getsignal(number) for number in handlers}
    matplotlib.use("Agg")
    # A power spectrum on the default grid takes five seconds, and pages measure many.
    monkeypatch.setattr(spectrum, "GRID_SIZE", 64)
    yield tmp_path
    matplotlib.pyplot.close("all")
    matplotlib.use(backend)
    for number, handler in before.items():
        signal.signal(number, handler)


def is_slow(page):
    """Whether it takes minutes, or is a notebook: those `make docs` runs, which CI calls."""
    return page.name in MINUTES or CELL in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.slow] * is_slow(page))
        for page in WITH_CODE
        if page.name not in APART
    ],
)
def test_the_code_of_a_page_runs(page, folder):
    for make in OF_PAGES.get(page.name, []):
        make(folder)
    assert run_page(page, {}) > 0


@pytest.mark.parametrize("order", [1, pytest.param(-1, marks=pytest.mark.slow)])
def test_pages_of_a_newcomer_go_together(order, folder):
    """One after the other in one folder, in either order: no output of one is in the way."""
    bundle_of_the_demo("output/groups_002")(folder)
    outputs = []
    for page in (page for name in NEWCOMER[::order] for page in WITH_CODE if page.name == name):
        before = set(os.listdir(folder))
        assert run_page(page, {}) > 0
        outputs.append(set(os.listdir(folder)) - before)
    assert all(outputs)


def test_blocks_that_are_not_run_are_few_and_say_why():
    blocks = [(page, block) for page in PAGES for block in blocks_of(page)]
    code = [(page, block) for page, block in blocks if block.language in RUN]
    without = [(page.name, block.line) for page, block in code if block.reason]
    assert len(without) <= 38, without
    assert len(code) > 50
    for page, block in blocks:
        assert block.language in (*RUN, "text", "toml", "yaml", ""), f"{page}:{block.line}"
        assert block.reason is None or len(block.reason) > 15


def test_the_table_has_no_page_that_is_gone():
    assert set(OF_PAGES) <= {page.name for page in WITH_CODE}
