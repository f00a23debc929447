"""Hosts of other codes, populated and painted: against halotools' own mock, and on Quijote."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import mockgal
from mockgal.errors import DomainError
from mockgal.painters.halotools import laws as halotools_laws
from mockgal.painters.hod.choice import hod_painter
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.store import named

ROOT = Path(__file__).parents[2]
QUIJOTE = ROOT.parent / "shared/data/quijote"
BOX, CONCENTRATION = 250.0, 7.0
quiet = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
COSMOLOGY = {"h": 0.7, "omega_m": 0.3, "omega_lambda": 0.7}


@pytest.fixture(scope="module")
def catalogue():
    """A halo catalogue of halotools without subhalos."""
    with halotools_laws.halotools_switches():
        from halotools.sim_manager import UserSuppliedHaloCatalog

        rng, n = np.random.default_rng(6), 20_000
        mass = 10.0 ** rng.uniform(11.8, 14.5, n)
        cosmology = mockgal.cosmology.Cosmology(**COSMOLOGY)
        radius = {d: cosmology.halo_scale(mass, d, 0.0)[0] for d in ("200m", "200c", "vir")}
        return UserSuppliedHaloCatalog(
            Lbox=BOX,
            particle_mass=1e9,
            redshift=0.0,
            halo_id=np.arange(n),
            halo_hostid=np.arange(n),
            halo_upid=np.full(n, -1),
            **{f"halo_m{d}": mass for d in radius},
            **{f"halo_r{d}": values for d, values in radius.items()},
            halo_nfw_conc=np.full(n, CONCENTRATION),
            **{f"halo_{x}": rng.uniform(0, BOX, n) for x in "xyz"},
            **{f"halo_v{x}": rng.normal(0, 200.0, n) for x in "xyz"},
        )


@pytest.fixture(scope="module")
def hosts(catalogue):
    return mockgal.read(catalogue, mass_definition="200m", allow_empty_regions=True, **COSMOLOGY)


@pytest.fixture(scope="module")
def painter():
    return hod_painter(
        model="zheng07", threshold=-20.0, stellar_mass_law="moster13", allow_extrapolation=True
    )


@pytest.fixture(scope="module")
def theirs(catalogue, hosts, painter):
    """halotools' own mock of its own model."""
    model = mockgal.to_halotools_model(hosts, painter)
    model.populate_mock(catalogue, seed=43)
    return model.mock.galaxy_table


@pytest.fixture(scope="module")
def ours(hosts, painter):
    made = mockgal.populate(hosts, painter, seed=1, concentration=CONCENTRATION)
    return made, mockgal.paint(made, painter, seed=1)


@quiet
class TestHalotools:
    def test_occupation(self, hosts, ours, theirs):
        """Numbers by host mass, of both types, within the noise of either."""
        edges = np.linspace(11.8, 14.5, 10)
        galaxies = ours[1]
        number = np.histogram(np.log10(hosts.halos["host_mass"]), edges)[0]
        for kind, central in (("centrals", True), ("satellites", False)):
            mine = np.log10(galaxies["halo_mass"][galaxies["is_central"] == central])
            there = np.log10(theirs["halo_m200m"][theirs["gal_type"] == kind])
            a, b = (np.histogram(x, edges)[0] for x in (mine, there))
            share = np.clip((a + b) / (2 * number), 0, 1) if central else np.zeros(len(a))
            error = np.sqrt(np.maximum((a + b) * (1 - share), 1))
            assert np.all(np.abs(a - b) < 4.5 * error)
            assert a.sum() > 4000

    def test_places(self, hosts, ours, theirs):
        """Distance over the host's radius."""
        halos = ours[0].halos
        satellites = np.flatnonzero(~halos["is_central"])
        apart = halos["position"][satellites] - halos["position"][halos.host_row[satellites]]
        apart -= BOX * np.round(apart / BOX)
        radius, _ = hosts.snapshot.cosmology.halo_scale(
            halos["host_mass"][satellites], "200m", hosts.snapshot.redshift
        )
        mine = np.sqrt(np.sum(apart**2, axis=1)) / radius
        kind = theirs["gal_type"] == "satellites"
        there = np.asarray(theirs["host_centric_distance"][kind] / theirs["halo_r200m"][kind])
        assert stats.ks_2samp(mine, there).pvalue > 1e-3

    def test_velocities(self, hosts, ours, theirs):
        """Along one axis, relative to the host, over its circular velocity."""
        halos = ours[0].halos
        satellites = np.flatnonzero(~halos["is_central"])
        relative = halos["velocity"][satellites] - halos["velocity"][halos.host_row[satellites]]
        _, circular = hosts.snapshot.cosmology.halo_scale(
            halos["host_mass"][satellites], "200m", hosts.snapshot.redshift
        )
        kind = theirs["gal_type"] == "satellites"
        _, scale = hosts.snapshot.cosmology.halo_scale(
            np.asarray(theirs["halo_m200m"][kind]), "200m", hosts.snapshot.redshift
        )
        there = np.asarray(theirs["vx"][kind] - theirs["halo_vx"][kind]) / scale
        assert stats.ks_2samp(relative[:, 0] / circular, there).pvalue > 1e-3

    def test_the_calibrated_painter_too(self, catalogue):
        """Its table names 200c: the same hosts, read as such."""
        sim = mockgal.read(catalogue, mass_definition="200c", allow_empty_regions=True, **COSMOLOGY)
        table = HODPainter(named("gadget4-z0.00"), allow_extrapolation=True)
        made = mockgal.populate(sim, table, seed=1, profile="measured", velocity="measured")
        mock = mockgal.paint(made, table, seed=1)
        assert np.sum(~mock["is_central"]) > 10_000
        assert made.halos.record["populate"]["law"] == "HOD calibration gadget4-z0.00"
        assert mock.provenance["simulation"]["halo_digest"] == sim.halos.digest()


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    if not QUIJOTE.is_dir():
        pytest.skip("no Quijote halos")
    folder = tmp_path_factory.mktemp("quijote")
    script = [sys.executable, ROOT / "studies/quijote_groups.py", QUIJOTE, "0"]
    subprocess.run([*script, "--out", folder], check=True, capture_output=True)
    cosmology = {"h": 0.7737, "omega_m": 0.1755, "omega_lambda": 0.8245}
    return mockgal.read(
        next(folder.iterdir()), format="quijote", box_size=1000.0, redshift=0.5, **cosmology
    )


@pytest.mark.real_data
class TestQuijote:
    def painter(self, **options):
        return hod_painter(
            model="zheng07", threshold=-21.0, stellar_mass_law="behroozi10", **options
        )

    def test_it_is_refused(self, sim):
        with pytest.raises(DomainError, match="--allow-extrapolation") as refused:
            mockgal.populate(sim, self.painter(), seed=1, radius_definition="200m")
        assert "fof, not 200m" in str(refused.value)
        with pytest.raises(DomainError, match="fof, not 200c"):
            mockgal.paint(sim, HODPainter(named("gadget4-z0.50")), seed=1)

    @quiet
    def test_the_occupation_is_zheng07s(self, sim):
        painter = self.painter(allow_extrapolation=True)
        made = mockgal.populate(sim, painter, seed=1, radius_definition="200m")
        mock = mockgal.paint(made, painter, seed=1)
        assert mock["extrapolated"].all()
        assert np.sum(mock["is_central"]) == 5000  # far above the threshold: one each
        mass = sim.halos["host_mass"]
        # Zheng et al. 2007, table 1, M_r < -21: log M0, M1', alpha
        expected = ((mass - 10**11.92) / 10**13.94) ** 1.15
        found = np.sum(~mock["is_central"])
        assert abs(found - expected.sum()) < 4 * np.sqrt(expected.sum())
        assert mock.provenance["simulation"]["reading"]["populate"]["radius_definition"] == "200m"
