"""Masses and velocities at their peak, which lists with histories have: read from each format."""

from pathlib import Path

import h5py
import halotools_samples
import known_samples
import numpy as np
import pytest
import table_samples
from halotools_samples import write_table
from rockstar_samples import Sample, universe
from table_samples import write_fits

import mockgal
from mockgal.readers.tables.known.universemachine import RECORD

PEAKS = {  # column, factor on the present value that the samples have
    "peak_mass": ("mvir", 1.5),
    "peak_vmax": ("vmax", 1.25),
    "vmax_at_peak_mass": ("vmax", 1.125),
}
SCALE = 0.375
HLIST = Path(__file__).parents[3] / "shared/data/rockstar/hlist_0.07812.list"


def peaks(table):
    values = {name: np.asarray(table[own]) * factor for name, (own, factor) in PEAKS.items()}
    return {**values, "peak_mass_scale": np.full(len(table["vmax"]), SCALE)}


def check(halos, names=(*PEAKS, "peak_mass_scale")):
    for name in names:
        if name == "peak_mass_scale":
            assert np.all(halos[name] == SCALE)
            continue
        now = halos["mass" if name == "peak_mass" else "vmax"]
        np.testing.assert_allclose(halos[name] / now, PEAKS[name][1], rtol=1e-5)


@pytest.mark.parametrize("at", [r"Vmax\@Mpeak", "Vmax@Mpeak"])
def test_a_list_of_consistent_trees_and_its_bundle(tmp_path, at):
    table = universe()
    sample = Sample("hlist", table)
    columns = dict(zip(("Mpeak", "Vpeak", at, "Mpeak_Scale"), peaks(table).values(), strict=True))
    for name, values in columns.items():
        sample.names.append(name)
        for row, value in zip(sample.rows, values.tolist(), strict=True):
            row.append(f"{value:.6e}")
    path = sample.write(tmp_path / "hlist_1.00000.list")
    scene = mockgal.read(path)
    check(scene.halos)
    mockgal.pack(path, tmp_path / "bundle.hdf5")
    again = mockgal.read(tmp_path / "bundle.hdf5")
    assert again.halos.digest() == scene.halos.digest()
    check(again.halos)


def test_halotools(tmp_path, demo_bundle):
    scene = mockgal.read(demo_bundle)
    present = {"vmax": scene.halos["vmax"], "mvir": scene.halos["mass"]}
    names = ("halo_mpeak", "halo_vpeak", "halo_vmax_mpeak", "halo_scale_factor_mpeak")
    more = dict(zip(names, peaks(present).values(), strict=True))
    columns = halotools_samples.columns(scene, **more)
    path = tmp_path / "cached.hdf5"
    check(mockgal.read(write_table(path, columns, halotools_samples.facts(scene))).halos)


def test_uchuu(tmp_path):
    table = known_samples.halos()
    own = {n: table[n] for n in ("id", "pid", "upid", *"xyz", "vx", "vy", "vz", "vmax")}
    own |= {"Mvir": table["mvir"], "Rvir": table["rvir"], "M200c": table["m200c"]}
    own |= {"rs": table["rvir"] / 7, "scale": np.full(len(table["id"]), 0.5)}
    own |= {"phantom": np.zeros(len(table["id"]), int), "desc_scale": np.ones(len(table["id"]))}
    names = ("Mpeak", "Vpeak", "Vmax_Mpeak", "Mpeak_Scale")
    own |= dict(zip(names, peaks(table).values(), strict=True))
    with h5py.File(tmp_path / "MiniUchuu_halolist_z1p00.h5", "w") as file:
        for name, values in own.items():
            file[name] = values
        lines = [f"Omega_M = {0.3089}; Omega_L = {0.6911}; h0 = {0.6774}"]
        lines += ["Full box size = 40.0 Mpc/h", "Units: Masses in Msun / h"]
        text = "".join(f"#{line}\n" for line in ["scale(0) id(1) desc_scale(2)", *lines])
        file.attrs["Consistent Trees_metadata"] = np.array([text.encode()])
    check(mockgal.read(tmp_path / "MiniUchuu_halolist_z1p00.h5").halos)


def test_universemachine(tmp_path):
    table = known_samples.halos()
    first = table["id"].min()
    rows = np.zeros(len(table["id"]), RECORD)
    for name in ("x", "y", "z", "vx", "vy", "vz"):
        rows[name] = table[name]
    rows["id"] = table["id"] - first
    rows["upid"] = np.where(table["central"], -1, table["upid"] - first)
    rows["m"], rows["r"], rows["v"] = table["mvir"], table["rvir"], table["vmax"]
    rows["mp"], rows["vmp"], rows["descid"] = 1.5 * table["mvir"], 1.125 * table["vmax"], -1
    rows.tofile(tmp_path / "sfr_catalog_0.500000.bin")
    given = {"box_size": known_samples.BOX, **known_samples.COSMOLOGY_GIVEN}
    halos = mockgal.read(tmp_path / "sfr_catalog_0.500000.bin", **given).halos
    check(halos, ("peak_mass", "vmax_at_peak_mass"))
    assert "peak_vmax" not in halos


@pytest.mark.parametrize("stated", [True, False])
def test_a_table_by_usual_names_and_by_a_map(tmp_path, stated):
    columns = table_samples.columns()
    present = {"vmax": columns["vmax"], "mvir": columns["mvir"]}
    units = {"Mpeak": "Msun/h", "Vpeak": "km/s", "Vmax@Mpeak": "km/s", "Mpeak_Scale": None}
    columns |= dict(zip(units, peaks(present).values(), strict=True))
    path, how = tmp_path / "halos.fits", {"mass_definition": "200c"}
    if stated:
        own = "peak_mass=Mpeak [Msun/h], peak_vmax=Vpeak [km/s], peak_mass_scale=Mpeak_Scale, "
        own += "vmax_at_peak_mass=Vmax@Mpeak [km/s]"
        how = {"columns": f"{table_samples.MAP}, {own}"}
        write_fits(path, columns)
    else:
        write_fits(path, columns, {**table_samples.UNITS, **units})
    check(mockgal.read(path, **how, **table_samples.FACTS).halos)


@pytest.mark.real_data
@pytest.mark.skipif(not HLIST.is_file(), reason="the shared data are not here")
def test_a_real_list():
    halos = mockgal.read(HLIST, orphans="central", allow_empty_regions=True).halos
    assert np.all(halos["peak_mass"] >= halos["mass"] * (1 - 1e-6))
    assert np.all(halos["peak_vmax"] >= halos["vmax"] * (1 - 1e-6))
    assert np.all(halos["peak_mass_scale"] <= 0.0782)
