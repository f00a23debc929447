"""Which column is what: the map, usual names, units, and what is asked for."""

import re

import numpy as np
import pytest
from table_samples import FACTS, MAP, UNITS, columns, text, write_fits, write_hdf5

import mockgal
from mockgal.errors import FormatError, MissingDatasetError, UnitsError, UsageError, listening
from mockgal.quantity import UnitError
from mockgal.readers.tables.names import Names, definition_of
from mockgal.readers.tables.quantities import QUANTITIES, parse_map
from mockgal.readers.tables.units import parse

POSITION, MASS, SPEED = (QUANTITIES[name] for name in ("position", "mass", "velocity"))


def read(table, stated=None, **facts):
    return mockgal.read(table, columns=stated, **{**FACTS, **facts})


class TestMap:
    def test_words(self):
        found = parse_map(
            "halo_id = id,position=x y z[kpc/h], velocity='v x' \"v,y\" vz [km/s] ,"
            "host_id=hostHalo [0], mass=m[dex(Msun/h)]"
        )
        assert found["halo_id"].names == ("id",)
        assert (found["position"].names, found["position"].unit) == (("x", "y", "z"), "kpc/h")
        assert found["velocity"].names == ("v x", "v,y", "vz")
        assert found["host_id"].host == 0
        assert found["mass"].unit == "dex(Msun/h)"
        again = ", ".join(taken.entry(name) for name, taken in found.items())
        assert parse_map(again) == found

    def test_a_mapping(self):
        text = parse_map("position=x 'y y' z [kpc/h], halo_id=id")
        assert parse_map({"position": "x 'y y' z [kpc/h]", "halo_id": ["id"]}) == text

    @pytest.mark.parametrize(
        ("stated", "words"),
        [
            ("position", "entries QUANTITY=COLUMN"),
            ("positon=x y z", "did you mean position"),
            ("position=x y", "2 columns for position"),
            ("halo_id=a, halo_id=b", "more than once"),
            ("halo_id=a b", "2 columns"),
            ("host_id=a [none]", r"such as \[0\]"),
            ("position=x y z [kpc/h", "QUANTITY=COLUMN"),
            ({"position": 3}, "names of columns by quantity"),
            (3, "names of columns by quantity"),
            ("a" * 30000, "30,000 characters"),
        ],
    )
    def test_what_is_no_map(self, stated, words):
        with pytest.raises(UsageError, match=words):
            read(columns(), stated)

    def test_columns_that_are_not_there(self):
        with pytest.raises(UsageError, match=r"'?xx'?, of which dict has none.*one of id, upid"):
            read(columns(), MAP.replace("x y z", "xx y z"))
        assert len(read(columns(), MAP.replace("x y z", "X Y Z")).halos) == 107
        with pytest.raises(UsageError, match="no numbers"):
            read(columns(spin=np.array(["a"] * 107)), f"{MAP}, concentration=spin")

    def test_a_unit_of_another_kind(self):
        for wrong in ("kg", "km/s", "furlongs", "Mpc/hour"):
            with pytest.raises(UsageError, match=re.escape(f"[{wrong}]")) as caught:
                read(columns(), MAP.replace("x y z [Mpc/h]", f"x y z [{wrong}]"))
            assert "position=x y z [Mpc/h]" in caught.value.fix
        with pytest.raises(UsageError, match="no unit"):
            read(columns(), f"{MAP}, n_particles=npart [Msun]")


class TestUnits:
    @pytest.mark.parametrize(
        ("unit", "column", "expected"),
        [
            ("kpc/h", POSITION, (1e-3, 0, 0)),
            ("h-1 Mpc", POSITION, (1, 0, 0)),
            ("Mpc", POSITION, (1, 1, 0)),
            ("Mpc / littleh", POSITION, (1, 0, 0)),
            ("ckpc/h", POSITION, (1e-3, 0, 0)),
            ("pMpc", POSITION, (1, 1, -1)),
            ("physical kpc/h", POSITION, (1e-3, 0, -1)),
            ("kpccm/h", POSITION, (1e-3, 0, 0)),
            ("1e10 Msun/h", MASS, (1e10, 0, 0)),
            ("10^10 M_sun / h", MASS, (1e10, 0, 0)),
            ("10**10 solMass", MASS, (1e10, 1, 0)),
            ("solMass h-1", MASS, (1, 0, 0)),
            ("m/s", SPEED, (1e-3, 0, 0)),
            ("km s-1", SPEED, (1, 0, 0)),
            ("comoving km/s", SPEED, (1, 0, 1)),
            ("peculiar km/s", SPEED, (1, 0, 0)),
        ],
    )
    def test_conversions(self, unit, column, expected):
        found = parse(unit, column)
        assert found.factor == pytest.approx(expected[0], rel=1e-12)
        assert (found.h_power, found.a_power) == expected[1:]

    @pytest.mark.parametrize(
        ("unit", "column"),
        [("h", MASS), ("comoving Msun", MASS), ("-1 Mpc", POSITION), ("peculiar Mpc", POSITION)],
    )
    def test_what_is_no_unit(self, unit, column):
        with pytest.raises(UnitError):
            parse(unit, column)

    def test_logarithms(self):
        table = columns()
        logs = read(
            {**table, "m200c": np.log10(table["m200c"])},
            MAP.replace("[Msun/h]", "[dex(Msun/h)]", 1),
        )
        np.testing.assert_allclose(
            logs.halos["host_mass"], read(table, MAP).halos["host_mass"], rtol=1e-12
        )

    def test_physical_lengths_and_comoving_velocities(self):
        """At redshift 1, where the scale factor is a half."""
        table = columns(r200c=None)
        plain, half = MAP.rsplit(", ", 1)[0], {n: table[n] / 2 for n in "xyz"}
        twice = {f"v{x}": 2 * table[f"v{x}"] for x in "xyz"}
        stated = plain.replace("z [Mpc/h]", "z [pMpc/h]").replace("vz [", "vz [comoving ")
        whole, other = (
            read(table, plain, redshift=1.0),
            read({**table, **half, **twice}, stated, redshift=1.0),
        )
        assert other.halos.digest() == whole.halos.digest()

    def test_lengths_that_nothing_checks_must_say(self):
        table = columns(r200c=None, radius_of_stars=np.full(107, 0.01), stars=np.full(107, 1e8))
        stated = MAP.rsplit(", ", 1)[0] + ", stellar_mass=stars [Msun/h]"
        half = "stellar_half_mass_radius=radius_of_stars [{}Mpc/h]"
        with pytest.raises(MissingDatasetError, match=r"cMpc/h.*pMpc/h"):
            read(table, f"{stated}, {half.format('')}", redshift=1.0)
        found = [
            read(table, f"{stated}, {half.format(word)}", redshift=1.0).halos[
                "stellar_half_mass_radius"
            ][0]
            for word in "cp"
        ]
        assert found == [pytest.approx(0.01), pytest.approx(0.02)]

    def test_units_that_contradict_the_file(self, tmp_path):
        write_fits(tmp_path / "a.fits", columns(), {**UNITS, "x": "kpc", "y": "kpc", "z": "kpc"})
        with pytest.raises(UsageError, match=r"\[Mpc/h\].*kpc, as .*TUNIT3"):
            read(tmp_path / "a.fits", MAP)
        # FITS cannot say h: what the user says of it is taken, and told.
        write_fits(tmp_path / "a.fits", columns(), {**UNITS, "x": "Mpc", "y": "Mpc", "z": "Mpc"})
        with listening(quiet=True) as told:
            scene = read(tmp_path / "a.fits", MAP)
        assert any("read in Mpc/h, and the file says Mpc" in text for text in told)
        assert scene.halos.digest() == read(columns(), MAP).halos.digest()


class TestNames:
    @pytest.mark.parametrize(
        ("names", "quantity", "expected"),
        [
            (("haloid", "x"), "halo_id", ("haloid",)),
            (("ID", "x"), "halo_id", ("ID",)),
            (("halo_x", "halo_y", "halo_z"), "position", ("halo_x", "halo_y", "halo_z")),
            (("position_x", "position_y", "position_z"), "position", None),
            (("Pos",), "position", ("Pos",)),
            (("VX", "VY", "VZ"), "velocity", ("VX", "VY", "VZ")),
            (("pid", "upid"), "host_id", ("upid",)),
            (("hostid", "parent_id"), "host_id", ()),
            (("vmax",), "vmax", ("vmax",)),
        ],
    )
    def test_usual_names(self, names, quantity, expected):
        found = Names(names).candidates(quantity)
        if expected == ():
            assert len(found) == 2
        else:
            assert [taken.names for taken in found] == [expected or names]

    @pytest.mark.parametrize(
        ("name", "definition"),
        [
            *(("M200c", "200c"), ("m_200crit", "200c"), ("halo_m200b", "200m"), ("MVIR", "vir")),
            *(("M_Mean200", "200m"), ("m500c_host", "500c"), ("Mfof", "fof"), ("M200", None)),
            *(("mass", None), ("stellar_mass", None)),
        ],
    )
    def test_definitions(self, name, definition):
        assert definition_of(name) == definition

    def test_several_candidates_are_refused(self):
        table = columns(haloid=columns()["id"])
        with pytest.raises(MissingDatasetError, match=r"may be halo_id \(haloid, id\)") as caught:
            read(table, MAP)
        stated = re.search('--columns "([^"]*)"', caught.value.fix)[1]
        assert len(read(table, stated).halos) == 107

    def test_the_definition_of_the_mass(self):
        table = columns()
        several = r"200c \(m200c\), vir \(mvir\)"
        with pytest.raises(MissingDatasetError, match=f"{several}.*--mass-definition 200c .or vir"):
            read(table, "position=x y z [Mpc/h], velocity=vx vy vz [km/s]")
        with listening(quiet=True) as told:
            stated = MAP.rsplit(", ", 1)[0]
            named = read(columns(r200c=None), stated, mass_definition="200m")
        assert any("called 200c is read as 200m" in text for text in told)
        assert named.halos.mass_definition == "200m"
        with pytest.raises(UsageError, match=r"one that the table has: 200c \(m200c\)"):
            read(columns(mvir=None), mass_definition="500c")
        mass = {**columns(m200c=None, mvir=None, r200c=None), "mass": table["m200c"]}
        with pytest.raises(MissingDatasetError, match="no definition of the host mass"):
            read(mass)


class TestAsked:
    def test_everything_at_once(self, tmp_path):
        """One message asks for what is missing; with its options and the facts it is read."""
        (tmp_path / "a.csv").write_text(text(columns()))
        with pytest.raises(MissingDatasetError) as caught:
            mockgal.read(tmp_path / "a.csv")
        fix = caught.value.fix
        stated = re.search('--columns "([^"]*)"', fix)[1]
        assert "NAME" not in stated
        for flag in ("--box-size", "--redshift", "--h ", "--omega-m", "--omega-lambda"):
            assert flag in fix
        assert "host_mass=m200c [Msun/h]" in stated
        scene = read(tmp_path / "a.csv", stated)
        assert set(scene.snapshot.record["columns_read"]) >= {"position", "velocity", "host_mass"}

    def test_names_that_tell_nothing(self):
        table = {f"c{k}": values for k, values in enumerate(columns().values())}
        with pytest.raises(MissingDatasetError) as caught:
            mockgal.read(table)
        assert "position=NAME NAME NAME [Mpc/h]" in caught.value.fix
        assert "columns: c0, c1" in caught.value.found

    def test_optional_columns_without_a_unit_are_left_out(self):
        scene = read(columns(), MAP.replace(", vmax=vmax [km/s]", ""))
        assert "vmax" not in scene.halos
        assert "vmax=vmax [km/s]" in scene.snapshot.record["columns_left_out"]["vmax"]


class TestHosts:
    def test_without_hosts_every_row_is_one(self):
        table = columns(upid=None)
        with pytest.warns(mockgal.errors.MockgalWarning, match="every row is taken for a host"):
            scene = read(table, MAP)
        assert scene.halos["is_central"].all()
        assert "every row is a host" in scene.snapshot.record["hosts_from"]

    def test_hosts_of_zero(self):
        table = columns()
        table["upid"] = np.where(table["upid"] == -1, 0, table["upid"])
        with pytest.raises(mockgal.errors.BadValueError, match="without a central"):
            read(table, MAP)
        scene = read(table, f"{MAP}, host_id=upid [0]")
        assert scene.halos.digest() == read(columns(), MAP).halos.digest()

    def test_a_flag(self):
        table = columns()
        whole = read(table, MAP).halos.digest()
        central = table["upid"] == -1
        assert read({**table, "is_central": central}, MAP).halos.digest() == whole
        central[0] = False
        with pytest.raises(mockgal.errors.BadValueError, match="upid says otherwise"):
            read({**table, "is_central": central}, MAP)
        with pytest.raises(MissingDatasetError, match="host_id=NAME"):
            read({**columns(upid=None), "is_central": central}, MAP)

    def test_nested_parents(self):
        from rockstar_samples import universe

        table = {**columns(upid=None), "pid": universe(hosts=80)["pid"]}
        scene = read(table, MAP)
        assert scene.halos.digest() == read(columns(), MAP).halos.digest()
        assert scene.halos.record["nested_satellites"] == 7

    def test_without_ids(self):
        table = columns(id=None, upid=None)
        with listening(quiet=True) as told:
            scene = read(table, MAP)
        assert any("no column of ids" in text for text in told)
        order = np.random.default_rng(1).permutation(107)
        with listening(quiet=True):
            other = read({name: values[order] for name, values in table.items()}, MAP)
        assert other.halos.digest() == scene.halos.digest()
        with pytest.raises(MissingDatasetError, match="no column for halo_id"):
            read(columns(id=None), MAP)

    def test_no_velocities(self):
        table = columns(vx=None, vy=None, vz=None)
        stated = MAP.replace("velocity=vx vy vz [km/s]", "velocity=0")
        with listening(quiet=True) as told:
            assert not read(table, stated).halos["velocity"].any()
        assert any("no velocities" in text for text in told)


def test_several_tables(tmp_path):
    table = columns()
    write_hdf5(tmp_path / "a.hdf5", table, UNITS, "halos")
    import h5py

    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        for name in ("id", "x", "y", "z"):
            file[f"galaxies_of_another/{name}"] = table[name]
    whole = read(tmp_path / "a.hdf5", mass_definition="200c")
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        file.copy("halos", "others")
    with pytest.raises(UsageError, match=r"several tables, halos, others.*position=halos/NAME"):
        read(tmp_path / "a.hdf5", mass_definition="200c")
    again = read(tmp_path / "a.hdf5", "position=others/x others/y others/z", mass_definition="200c")
    assert again.halos.digest() == whole.halos.digest()


def test_several_tables_none_of_which_has_halos(tmp_path):
    """As in a Subfind catalogue whose names are damaged."""
    import h5py

    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for group in ("Group", "Subhalo"):
            for name in ("Len", "Mass", "Vmax", "Spin"):
                file[f"{group}/{group}{name}"] = np.ones(5)
    with pytest.raises(FormatError, match=r"tables, Group, Subhalo, none .*Group has .*damaged"):
        read(tmp_path / "a.hdf5")


def test_radii_are_held_against_masses():
    table = columns()
    table["r200c"] = table["r200c"] * 1e3
    with pytest.raises(UnitsError, match="r200c"):
        read(table, MAP)
    assert len(read(table, MAP.replace("r200c [Mpc/h]", "r200c [kpc/h]")).halos) == 107
