"""Faults of groups A to D in tables with fixed names: EAGLE's, and halos in BigFile."""

import sys
from pathlib import Path

import numpy as np
import pytest
from read_faults import case

sys.path.append(str(Path(__file__).parents[1] / "readers"))
sys.path.append(str(Path(__file__).parents[1] / "readers/tables/known"))
import test_known_bigfile as bigfile
import test_known_eagle as eagle

from mockgal.protocols import ReadOptions
from mockgal.testing.matter import write_bigfile_block

GIVEN = ReadOptions(**eagle.GIVEN)
H = eagle.H


def times(factor, *names):
    return lambda found: {**found, **{name: found[name] * factor for name in names}}


def minus(length, *names):
    return lambda found: {**found, **{name: found[name] - length for name in names}}


def put(name, row, value):
    def change(found):
        values = found[name].astype(np.result_type(found[name], type(value)))
        values[row] = value
        return {**found, name: values}

    return change


def without(name):
    return lambda found: {n: values for n, values in found.items() if n != name}


HALF = eagle.BOX / H / 2  # of the box, free of h
PLACES = [f"CentreOfPotential_{x}" for x in "xyz"]
MASSES = ["Mass", "MassType_Star", "Group_M_Crit200"]
EAGLE = [
    case(5, without("Velocity_y"), "Velocity_y"),
    case(28, times(1e3, *PLACES), "halos that reach to"),
    case(30, times(H, *PLACES, *MASSES, "Group_R_Crit200", "HalfMassRad_Star"), "h"),
    case(31, times(1e-3, "Group_R_Crit200"), "density"),
    case(32, times(1 / H, *MASSES), "density"),
    case(34, put("CentreOfPotential_y", 7, np.nan), "row 7"),
    case(35, put("Mass", 7, -1e12), "row 7"),
    case(35, put("Velocity_x", 7, 1e30), "row 7"),
    case(35, put("MassType_Star", 7, np.inf), "row 7"),
    case(39, minus(HALF, *PLACES), "--centred-origin"),
    case(40, put("CentreOfPotential_x", 7, 3 * HALF), "outside the box"),
    case(41, lambda found: {n: np.r_[v, v[-1:]] for n, v in found.items()}, "GalaxyID"),
    case(42, put("GroupID", 100, 5), "without a central"),
]


@pytest.mark.parametrize(("change", "words"), EAGLE)
def test_eagle(tmp_path, change, words, refused):
    path = eagle.write(tmp_path / "eagle.csv", change(eagle.columns()))
    refused(path, words, options=GIVEN)


@pytest.mark.fault(10)
def test_a_cut_line_of_eagle(tmp_path, refused):
    path = eagle.write(tmp_path / "eagle.csv", eagle.columns(), end="")
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, "eagle.csv", options=GIVEN)


@pytest.mark.fault(24)
def test_no_cosmology(tmp_path, refused):
    refused(eagle.write(tmp_path / "eagle.csv", eagle.columns()), "--omega-m")
    header = dict.fromkeys(("OmegaM", "OmegaLambda", "HubbleParam"))
    refused(bigfile.fastpm(tmp_path / "fof", **header), "--omega-m")


def cut(name, size):
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:size])


def block(name, change):
    position, velocity, number = bigfile.hosts()
    values = {"Position": position, "Velocity": velocity, "Length": number}
    values["MinID"] = np.arange(len(number))
    return lambda path: write_bigfile_block(path / "LL-0.200" / name, change(values[name] * 1))


def row(value, at=7):
    def change(values):
        values[at] = value
        return values

    return change


BIGFILE = [
    case(5, {}, lambda path: (path / "LL-0.200/Velocity/000001").unlink(), "no such file"),
    case(5, {}, lambda path: (path / "LL-0.200/Velocity/header").unlink(), "velocity"),
    case(11, {}, cut("LL-0.200/Position/000000", 99), "found 99 bytes, expected"),
    case(11, {}, cut("LL-0.200/Length/header", 9), "DTYPE"),
    case(11, {}, cut("Header/attr-v2", 25), "line 1"),
    case(18, {}, block("Velocity", lambda values: values[:5]), "5 rows"),
    case(18, {}, block("Position", lambda values: values[:, :2]), "expected 3 integers or floats"),
    case(25, {"redshift": 3.0}, None, "redshift of 3 with a scale factor of 0.5"),
    case(28, {"BoxSize": bigfile.BOX * 1e3}, None, "1000^3 in the box (kpc, Mpc)"),
    case(34, {}, block("Position", row(np.nan)), "row 7"),
    case(35, {"BoxSize": np.nan}, None, "BoxSize"),
    case(35, {}, block("Velocity", row(np.inf)), "row 7"),
    case(35, {}, block("Length", row(-5)), "row 7"),
    case(39, {}, block("Position", lambda values: values - bigfile.BOX / 2), "--centred-origin"),
    case(40, {}, block("Position", row(bigfile.BOX * 1.5)), "outside the box"),
    case(41, {}, block("MinID", row(3)), "repeated ids"),
]


@pytest.mark.parametrize(("header", "change", "words"), BIGFILE)
@pytest.mark.filterwarnings("ignore:.*has no column of hosts")
def test_bigfile(tmp_path, header, change, words, refused):
    path = bigfile.fastpm(tmp_path / "fof", **header)
    if change is not None:
        change(path)
    refused(path, words)
