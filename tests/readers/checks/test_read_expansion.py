"""What files state of the expansion beside the usual is honoured or refused; astropy says how."""

from dataclasses import replace
from types import SimpleNamespace

import astropy.cosmology as ac
import h5py
import numpy as np
import pytest
from astropy import units
from halotools_samples import columns, facts, write_table
from rockstar_samples import Sample

from mockgal.cosmology import Cosmology
from mockgal.errors import HeaderError, UnitsError, UsageError
from mockgal.protocols import ReadOptions
from mockgal.readers.checks import expansion
from mockgal.readers.detect import read
from mockgal.testing import COSMOLOGY, write_arepo, write_gadget4
from mockgal.writers.bundle import write_bundle

FLAT = {"h": 0.7, "omega_m": 0.3, "omega_lambda": 0.7}
REDSHIFTS = (0.0, 0.5, 1.0, 3.0, 9.0)


def statements(**stated):
    return [(f"f:/g@{name}", name, value) for name, value in stated.items()]


def same_expansion(ours, theirs, rel):
    for z in REDSHIFTS:
        assert ours.expansion_rate(z) == pytest.approx(float(theirs.efunc(z)), rel=rel)


@pytest.mark.parametrize(
    "stated",
    [{"w0": -0.9}, {"w0": -0.9, "wa": 0.2}, {"w0": -1.1, "wa": -0.5}, {"wa": 0.3}, {"w": -0.8}],
)
def test_dark_energy(stated):
    found = Cosmology(**FLAT | expansion.further(statements(**stated), FLAT))
    w0, wa = stated.get("w0", stated.get("w", -1.0)), stated.get("wa", 0.0)
    same_expansion(found, ac.w0waCDM(70, 0.3, 0.7, w0=w0, wa=wa, Tcmb0=0), 1e-12)
    same_expansion(found, found.as_astropy(), 1e-12)


def test_radiation():
    theirs = ac.FlatLambdaCDM(70, 0.3, Tcmb0=2.7255, Neff=3.046)
    closed = {**FLAT, "omega_lambda": theirs.Ode0}
    for stated in (
        {"Omega_r": theirs.Ogamma0 + theirs.Onu0},
        {"Omega_g": theirs.Ogamma0, "N_eff": 3.046},
        {"CMBTemperature": 2.7255, "Neff": 3.046},
    ):
        found = Cosmology(**closed | expansion.further(statements(**stated), closed))
        same_expansion(found, theirs, 1e-6)
        same_expansion(found, found.as_astropy(), 1e-7)


@pytest.mark.parametrize("included", [True, False])
def test_massive_neutrinos_are_matter_that_halos_are_not_made_of(included):
    theirs = ac.FlatLambdaCDM(70, 0.3, Tcmb0=2.7255, m_nu=[0.1, 0.1, 0.1] * units.eV)
    neutrinos = theirs.Onu0
    known = {**FLAT, "omega_lambda": theirs.Ode0, "omega_m": 0.3 + neutrinos * included}
    stated = {"M_nu": 0.3, "Tcmb0": 2.7255, "N_eff": 0.0}
    found = Cosmology(**known | expansion.further(statements(**stated), known))
    assert found.omega_m == pytest.approx(0.3, abs=5e-5)
    assert found.omega_nu == pytest.approx(neutrinos, rel=0.01)
    for z in (0.0, 1.0, 3.0):
        assert found.expansion_rate(z) == pytest.approx(float(theirs.efunc(z)), rel=2e-4)
    assert found.matter_mass(10.0) == pytest.approx(Cosmology(**FLAT).matter_mass(10.0), rel=1e-4)


NOTHING = {"w0": -1.0, "wa": 0, "Omega_nu": 0.0, "M_nu": "0", "Omega_k": 0.0, "Omega_r": 0}


def test_what_changes_nothing_is_taken():
    found = Cosmology(**FLAT | expansion.further(statements(**NOTHING, DarkEnergyFile=""), FLAT))
    same_expansion(found, Cosmology(**FLAT).as_astropy(), 1e-14)


WRONG = {
    "no number": {"w0": "abc"},
    "several": {"wa": np.array([1.0, 2.0])},
    "curved": {"OmegaK": 0.05},
    "a table": {"DarkEnergyFile": "w.txt"},
    "a fluid": {"Omega_fld": 0.7},
    "twice": {"w0": -0.9, "w0_fld": -0.8},
    "neutrinos of other masses": {"Omega_nu": 0.01, "M_nu": 0.06},
}


@pytest.mark.parametrize("stated", WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused(stated):
    with pytest.raises(HeaderError, match="f:/g@") as caught:
        expansion.further(statements(**stated), FLAT)
    assert caught.value.fix


@pytest.mark.parametrize(
    "stated",
    [
        {"w0": np.float32(-0.9), "w0_fld": -0.9, "wa": 0.1, "w_a": np.float32(0.1)},
        {"w0_fld": -0.9, "w0": np.float32(-0.9), "wa": np.float32(0.1)},
    ],
)
def test_what_is_stated_twice_in_another_precision(stated):
    found = expansion.further(statements(**stated), FLAT)
    assert (found["w0"], found["wa"]) == pytest.approx((-0.9, 0.1), rel=1e-6)


def test_flavours_that_two_groups_state_count_once():
    flavours = {"MNue": 0.01, "MNum": 0.02, "MNut": 0.03}
    again = {"m_nu_e": np.float32(0.01), "m_nu_m": 0.02, "m_nu_t": 0.03}
    once = expansion.further(statements(**flavours), FLAT)
    assert once["omega_nu"] == pytest.approx(0.06 / 93.14 / 0.49)
    assert expansion.further(statements(**flavours, **again), FLAT) == once
    assert expansion.further(statements(**flavours, M_nu=0.06), FLAT) == pytest.approx(once)
    for wrong in ({"m_nu_e": 0.02}, {"M_nu": 0.09}):
        with pytest.raises(HeaderError, match="f:/g@"):
            expansion.further(statements(**flavours, **wrong), FLAT)


@pytest.mark.parametrize("write", [write_gadget4, write_arepo])
@pytest.mark.parametrize("redshift", [0.0, 1.0])
@pytest.mark.filterwarnings("error::mockgal.errors.MockgalWarning")
def test_a_run_that_counts_its_neutrinos_as_matter(tmp_path, write, redshift):
    """Its halos and particles are of all matter, as is the Omega0 that the user may repeat."""
    path = write(tmp_path, files=1, groups=60, side=20, redshift=redshift)
    for file in tmp_path.glob("*.hdf5"):
        with h5py.File(file, "r+") as file:
            file["Parameters"].attrs["Mnu"] = 0.2
    scene = read(path, ReadOptions(omega_m=COSMOLOGY.omega_m, h=COSMOLOGY.h))
    found, record = scene.snapshot.cosmology, scene.snapshot.record
    assert found.omega_m + found.omega_nu == pytest.approx(COSMOLOGY.omega_m)
    assert found.omega_nu == pytest.approx(0.2 / 93.14 / COSMOLOGY.h**2)
    for name in ("200m", "200c", "500c", "vir"):
        assert record[f"overdensity_within_r{name}_over_expected"] == pytest.approx(1, abs=1e-3)
    assert record["mean_density_over_omega_m"] == pytest.approx(1, abs=1e-4)
    assert scene.halos.record["particle_mass_over_expected"] == pytest.approx(1, abs=1e-4)
    write_bundle(scene, tmp_path / "b.hdf5")
    for omega_m in (COSMOLOGY.omega_m, found.omega_m):
        read(path, ReadOptions(omega_m=omega_m))
        read(tmp_path / "b.hdf5", ReadOptions(omega_m=omega_m))
    with pytest.raises(UsageError, match="--omega-m"):
        read(path, ReadOptions(omega_m=0.3))


def test_an_omega_m_of_the_user_beside_neutrinos_of_the_file(tmp_path):
    path = write_gadget4(tmp_path, files=1, groups=60, side=20, snapshots=False)
    with h5py.File(path, "r+") as file:
        file["Parameters"].attrs["Mnu"] = 0.2
        del file["Parameters"].attrs["Omega0"]
    scene = read(path, ReadOptions(omega_m=COSMOLOGY.omega_m))
    assert scene.snapshot.cosmology.omega_nu > 0.004


@pytest.mark.parametrize("h", [0.0, -0.7, 1e-90, 1e90])
def test_an_h_that_cannot_be_is_left_to_the_cosmology(h):
    assert expansion.further(statements(M_nu=0.06, Tcmb0=2.7), {**FLAT, "h": h}) == {}


def test_neutrinos_in_a_universe_of_which_nothing_tells_where_they_are():
    curved = {**FLAT, "omega_lambda": 0.65}
    with pytest.raises(HeaderError, match="flat neither with nor without"):
        expansion.further(statements(Omega_nu=0.002), curved)


@pytest.mark.parametrize("write", [write_gadget4, write_arepo])
@pytest.mark.parametrize("place", ["Header", "Parameters"])
def test_in_the_files_of_a_run(tmp_path, write, place):
    path = write(tmp_path, files=1, groups=60, side=20, snapshots=False)
    usual = read(path).snapshot
    with h5py.File(path, "r+") as file:
        file[place].attrs.update(w0=-0.9, wa=0.1)
    scene = read(path)
    assert (scene.snapshot.cosmology.w0, scene.snapshot.cosmology.wa) == (-0.9, 0.1)
    assert scene.snapshot.facts() != usual.facts()
    write_bundle(scene, tmp_path / "b.hdf5")
    assert read(tmp_path / "b.hdf5").snapshot.cosmology == scene.snapshot.cosmology
    with pytest.raises(UsageError, match="--w0"):
        read(path, ReadOptions(w0=-0.8))
    with h5py.File(path, "r+") as file:
        file[place].attrs["DarkEnergyFile"] = "w.txt"
    with pytest.raises(HeaderError, match=f"{place}@DarkEnergyFile"):
        read(path)


def test_radii_at_a_redshift_tell_another_dark_energy(tmp_path):
    path = write_gadget4(tmp_path, files=1, groups=60, side=20, redshift=1.0, snapshots=False)
    with h5py.File(path, "r+") as file:
        file["Parameters"].attrs["w0"] = -0.7
    with pytest.raises(UnitsError, match="Group_R_Crit200"):
        read(path)


@pytest.mark.parametrize("write", [write_gadget4, write_arepo])
def test_radii_of_a_dark_energy_that_is_not_stated(tmp_path, write):
    """They imply no Omega_m: 0.338 would have been it. The options are the way out."""
    true = replace(COSMOLOGY, w0=-0.9)
    small = {"files": 1, "groups": 60, "side": 20, "snapshots": False}
    path = write(tmp_path, redshift=0.5, cosmology=true, **small)
    with pytest.raises(UnitsError) as caught:
        read(path)
    assert "--w0 and --wa" in caught.value.fix
    assert "Omega_m is 0." not in caught.value.fix
    assert read(path, ReadOptions(w0=-0.9)).snapshot.cosmology.w0 == -0.9


def test_in_a_list(tmp_path):
    sample = Sample("out")
    sample.comments.append("w0 = -0.9; wa = 0.0")
    found = read(sample.write(tmp_path / "out_1.list")).snapshot.cosmology
    assert (found.w0, found.wa) == (-0.9, 0.0)
    plain = Sample("out").write(tmp_path / "out_2.list")
    assert read(plain, ReadOptions(w0=-0.95)).snapshot.cosmology.w0 == -0.95
    assert read(plain).snapshot.cosmology.w0 is None


def test_what_the_user_states_of_a_bundle(tmp_path):
    scene = read(write_gadget4(tmp_path / "run", files=1, groups=60, side=20, snapshots=False))
    write_bundle(scene, tmp_path / "b.hdf5")
    with pytest.raises(UsageError, match="--w0"):
        read(tmp_path / "b.hdf5", ReadOptions(w0=-0.9))
    read(tmp_path / "b.hdf5", ReadOptions(w0=-1.0, wa=0.0))


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return read(write_gadget4(tmp_path_factory.mktemp("run"), files=1, snapshots=False))


OBJECTS = [
    ac.Planck15,
    ac.Planck18,
    ac.WMAP9,
    ac.FlatLambdaCDM(67.74, 0.3089),
    ac.FlatLambdaCDM(67.74, 0.3089, Tcmb0=2.7),
    ac.LambdaCDM(67.74, 0.3089, 0.6),
    ac.wCDM(67.74, 0.3089, 0.69, w0=-0.9),
    ac.Flatw0waCDM(67.74, 0.3089, w0=-0.9, wa=0.1),
]


@pytest.mark.filterwarnings("ignore:.*no particle grid")
@pytest.mark.parametrize("cosmology", OBJECTS, ids=lambda c: f"{type(c).__name__}-{c.name}")
def test_objects_of_astropy(scene, cosmology):
    stated = facts(scene, cosmology=cosmology) | dict.fromkeys(COSMOLOGY.to_dict())
    table = columns(scene, halo_r200c=None)
    thing = SimpleNamespace(halo_table=np.rec.fromarrays(list(table.values()), names=list(table)))
    thing.__dict__.update({k: v for k, v in stated.items() if v is not None})
    same_expansion(read(thing).snapshot.cosmology, cosmology, 5e-5)


def test_other_objects_of_astropy_are_refused(scene):
    table = columns(scene, halo_r200c=None)
    thing = SimpleNamespace(halo_table=np.rec.fromarrays(list(table.values()), names=list(table)))
    thing.__dict__.update(facts(scene, cosmology=ac.w0wzCDM(67.74, 0.3089, 0.69, w0=-0.9, wz=0.2)))
    with pytest.raises(HeaderError, match="w0 and wa do not describe"):
        read(thing)


def test_in_a_file_of_halotools(tmp_path, scene):
    path = write_table(tmp_path / "t.hdf5", columns(scene), facts(scene, w0=-0.9))
    assert read(path).snapshot.cosmology.w0 == -0.9
    path = write_table(tmp_path / "u.hdf5", columns(scene), facts(scene, omega_k=0.1))
    with pytest.raises(HeaderError, match="omega_k"):
        read(path)


def test_redshift_space_follows_the_dark_energy():
    plain, dark = Cosmology(**FLAT), Cosmology(**FLAT, w0=-0.8)
    expected = float(ac.LambdaCDM(70, 0.3, 0.7).efunc(1) / ac.wCDM(70, 0.3, 0.7, w0=-0.8).efunc(1))
    ratio = dark.redshift_space_factor(1.0) / plain.redshift_space_factor(1.0)
    assert ratio == pytest.approx(expected, rel=1e-12)
