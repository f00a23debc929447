"""A format that is a table with fixed names, declared as those of `known/` are."""

from typing import ClassVar

import numpy as np
import pytest
from table_samples import FACTS, MAP, columns, text

import mockgal
from mockgal.errors import FormatError, MissingDatasetError, UsageError
from mockgal.protocols import ReadOptions
from mockgal.readers.tables.declared import Declared, number
from mockgal.readers.tables.reader import Facts
from mockgal.testing import reader_contract


class Finder(Declared):
    """Halos of a made-up finder, which states its redshift in a comment."""

    name = "finder"
    columns: ClassVar = {
        "halo_id": "ID",
        "host_id": "hostHalo [0]",
        "position": "Xc Yc Zc [kpc/h]",
        "velocity": "VXc VYc VZc [km/s]",
        "mass": "Mvir [Msun/h]",
        "vmax": "Vmax [km/s]",
        "n_particles": "npart",
    }
    host_masses: ClassVar = {"200c": "M200c", "vir": "Mvir"}
    mass_unit = "Msun/h"
    radii: ClassVar = {"200c": "R200c [kpc/h]"}

    def recognises(self, table):
        return any("Finder" in comment for comment in table.comments)

    def facts(self, table):
        comment = next(text for text in table.comments if "z =" in text)
        stated = table._replace(stated={"z": comment.partition("=")[2]}.get)
        return Facts("", redshift=number(stated, "z", above=-1.0), record={"finder": "Finder"})


GIVEN = {name: value for name, value in FACTS.items() if name != "redshift"}


def write(path, **changes):
    table = columns()
    found = {
        "ID": table["id"],
        "hostHalo": np.where(table["upid"] == -1, 0, table["upid"]),
        **{f"{x.upper()}c": table[x] * 1e3 for x in "xyz"},
        **{f"V{x.upper()}c": table[f"v{x}"] for x in "xyz"},
        "M200c": table["m200c"],
        "Mvir": table["mvir"],
        "R200c": table["r200c"] * 1e3,
        "Vmax": table["vmax"],
        "npart": table["npart"],
        **changes,
    }
    found = {name: values for name, values in found.items() if values is not None}
    path.write_text("# Finder 1.0\n# z = 0.0\n" + text(found, "  ", "# "))
    return path


def test_a_declared_format(tmp_path):
    scene = Finder().read(write(tmp_path / "halos"), ReadOptions(**GIVEN))
    whole = mockgal.read(columns(), columns=MAP, **FACTS)
    assert scene.snapshot.format == "finder"
    assert scene.snapshot.record["finder"] == "Finder"
    np.testing.assert_allclose(scene.halos["position"], whole.halos["position"], rtol=1e-14)
    for name in ("host_id", "host_mass", "mass", "vmax", "n_particles"):
        np.testing.assert_array_equal(scene.halos[name], whole.halos[name])
    assert scene.snapshot.record["columns_read"]["position"]["unit_from"] == "the format finder"


def test_contract(tmp_path):
    reader_contract(Finder, write(tmp_path / "halos"), **GIVEN)


def test_definitions_of_the_mass(tmp_path):
    path = write(tmp_path / "halos")
    scene = Finder().read(path, ReadOptions(mass_definition="vir", **GIVEN))
    np.testing.assert_array_equal(
        scene.halos["host_mass"][scene.halos["is_central"]],
        columns()["mvir"][scene.halos["is_central"]],
    )
    with pytest.raises(UsageError, match=r"one that the table has: 200c \(M200c\), vir \(Mvir\)"):
        Finder().read(path, ReadOptions(mass_definition="500c", **GIVEN))


def test_optional_columns_may_be_missing_others_not(tmp_path):
    path = write(tmp_path / "halos", Vmax=None, npart=None)
    assert "vmax" not in Finder().read(path, ReadOptions(**GIVEN)).halos
    with pytest.raises(MissingDatasetError, match="no VXc"):
        Finder().read(write(tmp_path / "halos", VXc=None), ReadOptions(**GIVEN))


def test_what_it_does_not_state_is_asked_for(tmp_path):
    with pytest.raises(MissingDatasetError, match="--box-size") as caught:
        Finder().read(write(tmp_path / "halos"), ReadOptions())
    assert "--redshift" not in caught.value.fix


def test_other_files_are_not_of_this_format(tmp_path):
    (tmp_path / "a.csv").write_text(text(columns()))
    assert not Finder().detect(tmp_path / "a.csv")
    assert not Finder().detect(tmp_path)
    with pytest.raises(FormatError, match="no table of the format finder"):
        Finder().read(tmp_path / "a.csv", ReadOptions())
