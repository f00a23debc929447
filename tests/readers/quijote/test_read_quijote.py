"""Friends-of-friends groups in raw binary, as of Quijote."""

import importlib.util
import re
import shlex
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mockgal
from mockgal import registry
from mockgal.errors import FormatError, MockgalError, MockgalWarning, UsageError
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import detect, read
from mockgal.readers.quijote import reader as quijote
from mockgal.readers.quijote.files import GROUP, GROUP_BYTES, HEADER
from mockgal.recipe import check
from mockgal.testing import COSMOLOGY, reader_contract, write_gadget4
from mockgal.testing.quijote import (
    BOX_SIZE,
    PARTICLE,
    SIDE,
    made_up_groups,
    options,
    write_groups,
    write_quijote,
)

ROOT = Path(__file__).parents[3]
REAL = ROOT.parent / "shared/data/quijote"
SAID = options()._asdict()
FLAGS = [
    word
    for name in quijote.ASKED
    for word in (
        "--" + name.replace("_", "-"),
        f"{SAID[name]}{' Mpc/h' if name == 'box_size' else ''}",
    )
]
_START = {}
for _name in GROUP:
    _START[_name] = sum(GROUP[n].itemsize for n in list(GROUP)[: list(GROUP).index(_name)])


def load(path, **changes):
    return read(path, options(**changes), "quijote")


def refused(path, *words, code=3, **changes):
    """Reading fails with this exit code and a message that has the words and a way out."""
    with pytest.raises(MockgalError) as caught:
        load(path, **changes)
    error = caught.value
    assert error.exit_code == code, error
    assert error.fix
    for word in words:
        assert str(word) in str(error), f"{word!r} not in: {error}"
    return error


def change(file, name, row, value):
    """Set one value of a field, or all of the header's ``name``."""
    content = bytearray(file.read_bytes())
    if name in HEADER.names:
        head = np.frombuffer(bytes(content[: HEADER.itemsize]), HEADER).copy()
        head[name] = value
        content[: HEADER.itemsize] = head.tobytes()
    else:
        dtype, count = GROUP[name], int(np.frombuffer(content[:4], "<i4")[0])
        start = HEADER.itemsize + _START[name] * count
        rows = np.frombuffer(content[start : start + count * dtype.itemsize], dtype.base).copy()
        rows.reshape(count, *dtype.shape)[row] = value
        content[start : start + rows.nbytes] = rows.tobytes()
    file.write_bytes(content)


def scale(file, name, factor):
    """Multiply a field."""
    count = int(np.frombuffer(file.read_bytes()[:4], "<i4")[0])
    dtype, content = GROUP[name], bytearray(file.read_bytes())
    start = HEADER.itemsize + _START[name] * count
    rows = np.frombuffer(content[start : start + count * dtype.itemsize], dtype.base) * factor
    content[start : start + rows.size * 4] = rows.astype(dtype.base).tobytes()
    file.write_bytes(content)


def chunk(folder, k=0):
    return folder / f"group_tab_004.{k}"


@pytest.mark.parametrize("files", [1, 3])
def test_contract(tmp_path, files):
    path = write_quijote(tmp_path, files=files, empty_last=files > 1)
    stated = {name: SAID[name] for name in quijote.ASKED}
    reader_contract("quijote", path, detected=False, **stated)


def test_rows_in_internal_units(tmp_path):
    groups = made_up_groups()
    scene = load(write_quijote(tmp_path, redshift=1.0, output=2), redshift=1.0)
    halos, snapshot = scene.halos, scene.snapshot
    ids = np.arange(600)
    for name in ("halo_id", "host_id"):
        np.testing.assert_array_equal(halos[name], ids)
    assert halos["is_central"].all()
    np.testing.assert_allclose(halos["position"], groups["position"], rtol=1e-6)
    np.testing.assert_allclose(halos["velocity"], groups["velocity"], rtol=1e-6)
    np.testing.assert_array_equal(halos["n_particles"], groups["number"])
    np.testing.assert_allclose(halos["mass"], groups["number"] * PARTICLE, rtol=1e-6)
    np.testing.assert_array_equal(halos["host_mass"], halos["mass"])
    assert "vmax" not in halos
    assert halos.mass_definition == "fof"
    assert (snapshot.box_size, snapshot.redshift) == (BOX_SIZE, 1.0)
    assert snapshot.cosmology == mockgal.cosmology.Cosmology(
        COSMOLOGY.h, COSMOLOGY.omega_m, COSMOLOGY.omega_lambda
    )
    assert snapshot.particle_mass == pytest.approx(PARTICLE, rel=1e-6)
    record = snapshot.record
    assert record["particles_per_side"] == SIDE
    assert record["particle_mass_over_expected"] == pytest.approx(1, abs=1e-6)
    assert record["given_by_user"] == list(quijote.ASKED)
    assert (record["output_number"], snapshot.name) == ("002", f"{tmp_path.name}/groups_002")
    assert halos.record["groups"] == halos.record["centrals"] == 600


@st.composite
def _groups(draw):
    count = draw(st.integers(1, 9))
    coordinate = st.floats(0, BOX_SIZE, width=32, exclude_max=True)
    speed = st.floats(-5e3, 5e3, width=32)
    vectors = [
        np.array(draw(st.lists(one, min_size=3 * count, max_size=3 * count))).reshape(-1, 3)
        for one in (coordinate, speed)
    ]
    number = draw(st.lists(st.integers(20, 200_000), min_size=count, max_size=count))
    return *vectors, np.array(number), draw(st.integers(1, 4)), draw(st.sampled_from([0.0, 0.5, 3]))


@pytest.mark.filterwarnings("ignore:.* they are kept unchanged")
@settings(max_examples=60)
@given(_groups())
def test_any_groups_are_read_as_they_were_written(tmp_path_factory, groups):
    position, velocity, number, files, redshift = groups
    folder = write_groups(
        tmp_path_factory.mktemp("groups"),
        position=position,
        velocity=velocity,
        number=number,
        particle_mass=PARTICLE,
        redshift=redshift,
        output=11,
        files=files,
    )
    halos = load(folder, redshift=redshift).halos
    away = np.abs(halos["position"] - position)
    assert np.minimum(away, BOX_SIZE - away).max() <= 1e-4
    np.testing.assert_allclose(halos["velocity"], velocity, rtol=2e-7, atol=1e-30)
    np.testing.assert_array_equal(halos["n_particles"], number)
    np.testing.assert_allclose(halos["mass"], number * PARTICLE, rtol=1e-6)


@pytest.mark.parametrize("point_at", ["", "groups_004", "groups_004/group_tab_004.7"])
def test_what_to_point_at(tmp_path, point_at):
    write_quijote(tmp_path, files=8)
    assert len(load(tmp_path / point_at).halos) == 600


def test_without_groups(tmp_path):
    none = {name: rows[:0] for name, rows in made_up_groups(4).items()}
    scene = load(write_groups(tmp_path, **none, particle_mass=PARTICLE, redshift=0.0))
    assert len(scene.halos) == 0
    assert scene.snapshot.particle_mass is None


class TestNeverGuessed:
    def test_format_must_be_said(self, tmp_path):
        path = write_quijote(tmp_path)
        for place in (tmp_path, path, chunk(path)):
            with pytest.raises(FormatError, match=r"group_tab_004\.0.*--format quijote --box-size"):
                detect(place)

    def test_it_is_listed(self):
        assert "quijote" in registry.names("readers")

    @pytest.mark.fault(24)
    @pytest.mark.parametrize("name", quijote.ASKED)
    def test_facts_must_be_said(self, tmp_path, name, exit_code):
        value = '"1000 Mpc/h"' if name == "box_size" else "VALUE"
        flag = f"give --{name.replace('_', '-')} {value}"
        error = refused(write_quijote(tmp_path), flag, code=exit_code, **{name: None})
        assert error.fix == flag

    @pytest.mark.fault(24)
    def test_all_that_is_missing_is_named(self, tmp_path, mockgal_command, exit_code):
        result = mockgal_command("inspect", write_quijote(tmp_path), "--format", "quijote")
        assert result.returncode == exit_code
        for flag in ("--box-size", "--redshift", "--h", "--omega-m", "--omega-lambda"):
            assert f" {flag} " in result.stderr

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("box_size", 0.0),
            ("box_size", np.nan),
            ("box_size", np.inf),
            ("redshift", -1.0),
            ("redshift", np.nan),
            ("h", 67.74),
            ("omega_m", -0.3),
        ],
    )
    def test_values_that_cannot_be(self, tmp_path, name, value):
        flag = "--" + name.replace("_", "-")
        refused(write_quijote(tmp_path), flag, value, code=2, **{name: value})

    def test_other_mass_definitions(self, tmp_path):
        path = write_quijote(tmp_path)
        refused(path, "--mass-definition", "200c", "fof", code=2, mass_definition="200c")
        scene = load(path, mass_definition="fof")
        assert scene.snapshot.record["mass_definition_chosen_by"] == "user"

    @pytest.mark.parametrize(("name", "value"), [("box_size", 64.0), ("redshift", 0.5)])
    def test_formats_that_state_them(self, tmp_path, name, value):
        path = write_gadget4(tmp_path, files=1)
        own = {"box_size": 32.0, "redshift": 0.0}[name]
        flag = "--" + name.replace("_", "-")
        with pytest.raises(UsageError, match=f"{flag}: found {value:g}.*expected {own:g}"):
            read(path, ReadOptions(**{name: value}))
        with pytest.raises(UsageError, match=flag):
            mockgal.read(path, **{name: value})
        assert read(path, ReadOptions(**{name: own})).snapshot == read(path).snapshot

    def test_bundles_state_them(self, tmp_path):
        bundle = tmp_path / "bundle.hdf5"
        mockgal.pack(write_quijote(tmp_path), bundle, format="quijote", **_facts())
        assert read(bundle).snapshot.box_size == BOX_SIZE
        with pytest.raises(UsageError, match="--box-size"):
            mockgal.read(bundle, box_size=500.0)

    @pytest.mark.parametrize(
        ("output", "redshift", "words"),
        [
            (4, 0.5, "output 004 is at 0 in Quijote, 2 in its Big Sobol Sequence;"),
            (10, 0.5, "output 010 is at 0 in its Big Sobol Sequence;"),
            (4, 2.0, ""),
            (3, 0.503, ""),
            (11, 0.5, ""),
        ],
    )
    def test_redshifts_of_other_outputs_are_told(self, tmp_path, output, redshift, words):
        path = write_quijote(tmp_path, output=output)
        expected = pytest.warns(MockgalWarning, match=words) if words else nullcontext()
        with expected:  # and no other warning, which would be an error
            assert load(path, redshift=redshift).snapshot.redshift == redshift


def _facts():
    return {name: SAID[name] for name in quijote.ASKED}


class TestSizes:
    @pytest.mark.fault(11)
    @pytest.mark.parametrize("extra", [1, 4, GROUP_BYTES])
    def test_bytes_left_over(self, tmp_path, extra, exit_code):
        path = write_quijote(tmp_path, files=3)
        with open(chunk(path, 1), "ab") as file:
            file.write(bytes(extra))
        size = HEADER.itemsize + 200 * GROUP_BYTES
        words = (f"{size + extra} bytes", f"{extra} bytes left over", f"expected {size} bytes")
        refused(path, f"{chunk(path, 1)}:", *words, code=exit_code)

    @pytest.mark.fault(11)
    @pytest.mark.parametrize("less", [1, 4, 200 * GROUP_BYTES])
    def test_bytes_short(self, tmp_path, less, exit_code):
        path = write_quijote(tmp_path, files=3)
        content = chunk(path, 1).read_bytes()
        chunk(path, 1).write_bytes(content[:-less])
        refused(path, f"{chunk(path, 1)}:", f"{less} bytes short", code=exit_code)

    @pytest.mark.fault(11)
    @pytest.mark.parametrize("blocks", [1, 2])
    def test_blocks_of_hydrodynamic_runs(self, tmp_path, blocks, exit_code):
        path = write_quijote(tmp_path)
        with open(chunk(path), "ab") as file:
            file.write(bytes(blocks * 4 * 600))
        refused(path, f"{4 * blocks} more for each of 600 groups", code=exit_code)

    @pytest.mark.parametrize("left", [0, 1, 23])
    def test_shorter_than_the_header(self, tmp_path, left):
        path = write_quijote(tmp_path)
        chunk(path).write_bytes(chunk(path).read_bytes()[:left])
        refused(path, chunk(path), f"{left} bytes", "a header of 24")

    @pytest.mark.parametrize("content", [b"<!DOCTYPE html>" * 30, b"\xff" * 999, bytes(999)])
    def test_something_else_of_that_name(self, tmp_path, content):
        path = write_quijote(tmp_path)
        chunk(path).write_bytes(content)
        refused(path, chunk(path), len(content))

    def test_sizes_that_a_header_cannot_mean(self, tmp_path):
        """Petabytes and negative counts are refused by the file's size, before memory is taken."""
        path = write_quijote(tmp_path)
        for name, value in (("Ngroups", 2**31 - 1), ("Ngroups", -600), ("TotNgroups", -1)):
            broken = tmp_path / f"{name}{value}"
            shutil.copytree(path, broken / "groups_004")
            change(broken / "groups_004/group_tab_004.0", name, 0, value)
            refused(broken, "group_tab_004.0")

    def test_the_other_byte_order(self, tmp_path):
        path = write_quijote(tmp_path)
        words = np.frombuffer(chunk(path).read_bytes(), "<u4").byteswap()
        words[3:5] = words[3:5][::-1]
        chunk(path).write_bytes(words.tobytes())
        refused(path, "big-endian")

    def test_too_large_for_memory(self, tmp_path, monkeypatch):
        monkeypatch.setattr("mockgal.system.memory.available", lambda: 10_000)
        monkeypatch.setattr("mockgal.system.memory.CHECKED_FROM", 0)
        refused(write_quijote(tmp_path), "bytes to hold in memory", code=6)

    @pytest.mark.parametrize("seed", range(8))
    def test_random_damage_gives_our_errors_only(self, tmp_path, seed):
        path = write_quijote(tmp_path, files=2)
        content = np.frombuffer(chunk(path).read_bytes(), np.uint8).copy()
        rng = np.random.default_rng(seed)
        low = 0 if seed % 2 else HEADER.itemsize
        content[rng.integers(low, len(content), 1 + 10 * seed)] = rng.integers(0, 256)
        chunk(path).write_bytes(content.tobytes()[: len(content) - 3 * (seed == 3)])
        error = None
        try:
            load(path)
        except MockgalError as raised:
            error = raised
        assert error is None or (error.exit_code == 3 and error.fix)


class TestSets:
    @pytest.mark.fault(14)
    def test_missing(self, tmp_path, exit_code):
        path = write_quijote(tmp_path, files=12)
        for k in (3, 11):
            chunk(path, k).unlink()
        refused(path, path, "10 of 12 files; missing chunk 3, 11", code=exit_code)
        refused(path, "missing chunk 3, 11", code=exit_code, allow_missing_chunks=True)

    @pytest.mark.fault(15)
    def test_surplus(self, tmp_path, exit_code):
        path = write_quijote(tmp_path, files=3)
        shutil.copy(chunk(path, 1), chunk(path, 3))
        refused(path, "surplus chunk 3", code=exit_code)

    @pytest.mark.fault(15)
    def test_twice(self, tmp_path, exit_code):
        path = write_quijote(tmp_path, files=3)
        shutil.copy(chunk(path, 1), path / "group_tab_004.01")
        refused(path, "group_tab_004.01", "one file for each chunk", code=exit_code)

    @pytest.mark.fault(15)
    def test_copied_over(self, tmp_path, exit_code):
        path = write_quijote(tmp_path, files=3)
        shutil.copy(chunk(path, 1), chunk(path, 2))
        refused(path, chunk(path, 2), "same content", code=exit_code)

    @pytest.mark.fault(16)
    def test_order_is_numeric(self, tmp_path, mockgal_command, exit_code):
        many = write_quijote(tmp_path / "many", files=12)
        one = write_quijote(tmp_path / "one")
        assert sorted(p.name for p in many.iterdir())[2] == "group_tab_004.10"
        assert load(many).halos.digest() == load(one).halos.digest()
        result = mockgal_command("inspect", many, "--format", "quijote", *FLAGS)
        assert (result.returncode, result.stderr) == (exit_code, "")

    @pytest.mark.fault(17)
    def test_sum_is_not_total(self, tmp_path, exit_code):
        path = write_quijote(tmp_path, files=3)
        for k in range(3):
            change(chunk(path, k), "TotNgroups", 0, 601)
        refused(path, "TotNgroups", "600 rows", "601", code=exit_code)

    @pytest.mark.fault(18)
    def test_rows_are_not_those_of_the_header(self, tmp_path, exit_code):
        path = write_quijote(tmp_path, files=3)
        change(chunk(path, 1), "Ngroups", 0, 199)
        refused(path, chunk(path, 1), f"{GROUP_BYTES} bytes left over", code=exit_code)

    @pytest.mark.fault(19)
    @pytest.mark.parametrize(
        ("name", "value"), [("TotNgroups", 700), ("TotNids", 7), ("Nfiles", 4)]
    )
    def test_files_of_different_sets(self, tmp_path, name, value, exit_code):
        path = write_quijote(tmp_path, files=3)
        change(chunk(path, 2), name, 0, value)
        refused(path, f"{chunk(path, 2)}:{name}", value, chunk(path, 0), code=exit_code)

    def test_several_outputs(self, tmp_path):
        write_quijote(tmp_path, output=4)
        write_quijote(tmp_path, output=3, redshift=0.5)
        refused(tmp_path, "003, 004", code=2)
        assert load(tmp_path / "groups_003", redshift=0.5).snapshot.record["output_number"] == "003"

    def test_no_set(self, tmp_path):
        (tmp_path / "notes.txt").write_text("hello")
        for path in (tmp_path, tmp_path / "notes.txt"):
            refused(path, "group_tab_NNN.K")

    def test_a_folder_of_that_name(self, tmp_path):
        path = write_quijote(tmp_path)
        chunk(path).unlink()
        chunk(path).mkdir()
        refused(path, "a folder")


class TestUnits:
    @pytest.mark.fault(28)
    @pytest.mark.parametrize(("box_size", "power"), [(1e6, -1), (1.0, 1), (1e9, -2)])
    def test_box_in_another_unit(self, tmp_path, box_size, power, exit_code):
        path = write_quijote(tmp_path)
        words = ("GroupPos", f"a box of {box_size:g} Mpc/h", "--box-size", f"1000^{power}")
        refused(path, *words, code=exit_code, box_size=box_size)

    @pytest.mark.fault(28)
    @pytest.mark.parametrize("factor", [1e-3, 1e3])
    def test_positions_in_another_unit(self, tmp_path, factor, exit_code):
        path = write_quijote(tmp_path)
        scale(chunk(path), "GroupPos", factor)
        refused(path, "GroupPos", "(kpc against Mpc)", code=exit_code)

    @pytest.mark.parametrize("box_size", [500.0, 900.0, 1125.0, 1250.0, 2000.0])
    def test_another_box(self, tmp_path, box_size):
        """Of which 576, 640 and 1024 particles along a side would do for the mass of particles."""
        refused(
            write_quijote(tmp_path),
            "group_tab" if box_size == 900 else "GroupPos",
            box_size=box_size,
        )

    @pytest.mark.fault(32)
    @pytest.mark.parametrize("omega_m", [0.3, 0.3156, 0.25, 1.0])
    def test_another_omega_m(self, tmp_path, omega_m, exit_code):
        words = ("GroupMass", f"Omega_m = {omega_m:g}", f"{PARTICLE:.6g}", "^3 fill", "--omega-m")
        refused(write_quijote(tmp_path), *words, code=exit_code, omega_m=omega_m)

    @pytest.mark.fault(32)
    @pytest.mark.parametrize("factor", [1e-10, 1e10, COSMOLOGY.h, 1 / COSMOLOGY.h, 1e3])
    def test_masses_in_another_unit(self, tmp_path, factor, exit_code):
        path = write_quijote(tmp_path)
        scale(chunk(path), "GroupMass", factor)
        refused(path, "GroupMass", "for each particle", code=exit_code)

    @pytest.mark.parametrize("side", [256, 455, 512, 1024, 2160])
    def test_sides_of_other_runs(self, tmp_path, side):
        own = {"particle_mass": PARTICLE * (SIDE / side) ** 3 * 1.0001, "redshift": 0.0}
        scene = load(write_groups(tmp_path, **made_up_groups(50), **own))
        assert scene.snapshot.record["particles_per_side"] == side
        assert scene.snapshot.record["particle_mass_over_expected"] == pytest.approx(1 / 1.0001)

    @pytest.mark.parametrize("side", [511, 513, 503, 507, 512.4])
    def test_sides_that_no_grid_has(self, tmp_path, side):
        own = {"particle_mass": PARTICLE * (SIDE / side) ** 3, "redshift": 0.0}
        refused(write_groups(tmp_path, **made_up_groups(50), **own), f"{side:.2f}^3")

    @pytest.mark.filterwarnings("ignore:.* they are kept unchanged")
    def test_masses_added_up_in_single_precision(self, tmp_path):
        """As Gadget does, which for 400,000 particles is off by more than 1e-3."""
        groups = made_up_groups()
        groups["number"][:2] = 400_000
        sums = np.cumsum(np.full(400_001, PARTICLE / 1e10, np.float32), dtype=np.float32)
        own = {"mass": sums[groups["number"] - 1] * 1e10, "redshift": 0.0}
        path = write_groups(tmp_path, **groups, particle_mass=PARTICLE, **own)
        assert np.abs(own["mass"] / (groups["number"] * PARTICLE) - 1).max() > 1e-3
        np.testing.assert_allclose(load(path).halos["mass"], own["mass"], rtol=1e-6)

    def test_one_group_of_other_particles(self, tmp_path):
        path = write_quijote(tmp_path, files=3)
        change(chunk(path, 1), "GroupLen", 7, 5)
        refused(path, f"{chunk(path, 1)}:/GroupMass, row 7", "1 groups", "for 5", f"{PARTICLE:.6g}")

    def test_groups_without_particles(self, tmp_path):
        path = write_quijote(tmp_path)
        change(chunk(path), "GroupLen", 9, 0)
        refused(path, f"{chunk(path)}:/GroupLen, row 9")


class TestValues:
    @pytest.mark.fault(34)
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_positions_that_are_none(self, tmp_path, value, exit_code):
        path = write_quijote(tmp_path, files=3)
        change(chunk(path, 1), "GroupPos", (7, 1), value)
        refused(path, f"{chunk(path, 1)}:/GroupPos, row 7", "1 positions", code=exit_code)

    @pytest.mark.fault(35)
    @pytest.mark.parametrize("value", [np.nan, np.inf, -3.0])
    def test_masses_that_are_none(self, tmp_path, value, exit_code):
        path = write_quijote(tmp_path, files=3)
        change(chunk(path, 1), "GroupMass", 7, value)
        refused(path, f"{chunk(path, 1)}:/GroupMass, row 7", "--drop-bad", code=exit_code)
        halos = load(path, drop_bad=True).halos
        assert halos.record["dropped_bad"] == 1
        np.testing.assert_array_equal(halos["halo_id"], np.delete(np.arange(600), 207))

    def test_masses_of_zero(self, tmp_path):
        path = write_quijote(tmp_path)
        change(chunk(path), "GroupMass", 7, 0.0)
        refused(path, f"{chunk(path)}:/GroupMass, row 7")
        assert load(path, drop_bad=True).halos.record["dropped_bad"] == 1

    def test_no_mass_at_all(self, tmp_path):
        path = write_quijote(tmp_path, count=5)
        change(chunk(path), "GroupMass", slice(None), np.nan)
        refused(path, "GroupMass", "5 values")

    def test_velocities_that_are_none(self, tmp_path):
        path = write_quijote(tmp_path)
        change(chunk(path), "GroupVel", (7, 2), np.nan)
        refused(path, f"{chunk(path)}:/GroupVel, row 7")

    @pytest.mark.parametrize(
        ("x", "counts"),
        [(-1e-4, (1, 1)), (BOX_SIZE * 1e3, (1, 1)), (-2000.0, (1, 0)), (1.002e6, (1, 0))],
    )
    def test_positions_at_the_edge(self, tmp_path, x, counts):  # 37, 38
        path = write_quijote(tmp_path)
        change(chunk(path), "GroupPos", (7, 1), x)
        halos = load(path).halos
        found = halos.record["positions_wrapped"], halos.record["positions_at_box_edge"]
        assert found == counts
        assert halos["position"][7, 1] == pytest.approx(0.0 if counts[1] else x / 1e3 % BOX_SIZE)

    @pytest.mark.fault(40)
    def test_positions_beyond_the_box(self, tmp_path, exit_code):
        path = write_quijote(tmp_path)
        change(chunk(path), "GroupPos", (7, 1), 1.02e6)
        refused(path, f"{chunk(path)}:/GroupPos, row 7", code=exit_code)

    def test_centred_origin(self, tmp_path):  # 39
        groups = made_up_groups()
        groups["position"] -= BOX_SIZE / 2
        path = write_groups(tmp_path, **groups, particle_mass=PARTICLE, redshift=0.0)
        refused(path, "--centred-origin")
        assert load(path, centred_origin=True).halos.record["positions_wrapped"] > 0
        refused(path, "1000^-1", centred_origin=True, box_size=1e6)

    @pytest.mark.fault(45)
    @pytest.mark.parametrize("low", [100.0, 800.0])
    def test_an_empty_slab(self, tmp_path, low, exit_code):
        groups = made_up_groups(4000)
        kept = (groups["position"][:, 1] < low) | (groups["position"][:, 1] > low + 200)
        groups = {name: rows[kept] for name, rows in groups.items()}
        path = write_groups(tmp_path, **groups, particle_mass=PARTICLE, redshift=0.0)
        refused(path, "GroupPos", "--allow-empty-regions", code=exit_code)
        load(path, allow_empty_regions=True)

    def test_order_of_rows_does_not_change_the_rows(self, tmp_path):
        groups = made_up_groups()
        order = np.random.default_rng(3).permutation(600)
        shuffled = {name: rows[order] for name, rows in groups.items()}
        own = {"particle_mass": PARTICLE, "redshift": 0.0}
        a = load(write_groups(tmp_path / "a", **groups, **own)).halos
        b = load(write_groups(tmp_path / "b", **shuffled, **own)).halos
        for name in ("position", "velocity", "mass", "n_particles"):
            np.testing.assert_array_equal(b[name], a[name][order])


class TestCommand:
    @pytest.mark.fault(11)
    def test_left_over(self, tmp_path, mockgal_command, exit_code):
        path = write_quijote(tmp_path)
        with open(chunk(path), "ab") as file:
            file.write(b"xyz")
        result = mockgal_command("inspect", path, "--format", "quijote", *FLAGS)
        assert (result.returncode, result.stdout) == (exit_code, "")
        (line,) = result.stderr.splitlines()
        assert re.fullmatch(r"mockgal: error\[E302\] .*group_tab_004\.0: .*3 bytes left.*", line)

    @pytest.mark.parametrize(
        ("flag", "value", "code"),
        [
            ("--box-size", "1000000 Mpc/h", 3),
            ("--box-size", "1000", 2),
            ("--omega-m", "0.33", 3),
            ("--box-size", "-1 Mpc/h", 2),
            ("--redshift", "x", 2),
            ("--mass-definition", "200c", 2),
        ],
    )
    def test_exit_codes(self, tmp_path, mockgal_command, flag, value, code):
        path = write_quijote(tmp_path)
        given = dict(zip(FLAGS[::2], FLAGS[1::2], strict=True)) | {flag: value}
        flags = [text for pair in given.items() for text in pair]
        result = mockgal_command("inspect", path, "--format", "quijote", *flags)
        assert (result.returncode, result.stdout) == (code, "")
        assert len(result.stderr.splitlines()) == 1

    def test_inspect(self, tmp_path, mockgal_command):
        result = mockgal_command("inspect", write_quijote(tmp_path), "--format", "quijote", *FLAGS)
        assert result.returncode == 0, result.stderr
        assert "600: 600 centrals, 0 satellites" in result.stdout
        assert "fof (mass of the friends-of-friends group)" in result.stdout
        assert "particles_per_side = 512" in result.stdout

    def test_other_formats(self, demo_bundle, mockgal_command):
        result = mockgal_command("inspect", demo_bundle, "--box-size", "75 Mpc/h")
        assert result.returncode == 2
        assert "--box-size: found 75 Mpc/h, expected 16 Mpc/h, as" in result.stderr

    def test_recipes_have_them(self, tmp_path):
        values = {"sim": tmp_path, "painter": "hod", "format": "quijote", **_facts()}
        values["box_size"] = f"{BOX_SIZE / options().h!r} Mpc"
        recipe = check(values, "test")
        found = recipe.read_options
        assert found.box_size == pytest.approx(BOX_SIZE, rel=1e-12)
        assert found._replace(box_size=BOX_SIZE) == options()
        with pytest.raises(UsageError, match="box_size"):
            check({**values, "box_size": 75.0}, "test")


def _converter():
    spec = importlib.util.spec_from_file_location("q", ROOT / "studies/quijote_groups.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_converter_tells_particles(tmp_path):
    converter = _converter()
    one = 0.3 * converter.GADGET_CRITICAL_DENSITY * 1e9 / 512**3
    number, mass = converter.particles(np.array([20, 333]) * one, 0.3)
    assert (number.tolist(), mass) == ([20, 333], pytest.approx(one))
    with pytest.raises(SystemExit, match="no multiples"):
        converter.particles(np.array([20.4]) * one, 0.3)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="the shared data are not here")
@pytest.mark.parametrize("number", [3, 14])
@pytest.mark.parametrize("files", [1, 12])
def test_real_groups(tmp_path, monkeypatch, capsys, number, files):
    """Converted by studies/quijote_groups.py, and read by the command that it shows."""
    words = ["", str(REAL), str(number), "--out", str(tmp_path / "run"), "--files", str(files)]
    monkeypatch.setattr("sys.argv", words)
    converter = _converter()
    converter.main()
    shown = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert shown[:2] == ["mockgal", "inspect"]
    told = dict(zip(shown[3::2], shown[4::2], strict=True))
    told = {name.removeprefix("--").replace("-", "_"): value for name, value in told.items()}
    format = told.pop("format")
    box_size = told.pop("box_size")
    numbers = {name: float(value) for name, value in told.items()}
    scene = mockgal.read(shown[2], format=format, box_size=box_size, **numbers)
    true, cosmology = converter.sample(REAL, number)
    halos = scene.halos
    assert scene.snapshot.cosmology.to_dict() == pytest.approx(cosmology)
    np.testing.assert_allclose(halos["position"], true[:, :3], atol=1e-4)
    np.testing.assert_allclose(halos["velocity"], true[:, 3:6], rtol=2e-7)
    np.testing.assert_allclose(halos["mass"], true[:, 6], rtol=2e-7)
    assert scene.snapshot.record["particles_per_side"] == 512
    # Gadget's constant of gravity is 4.8e-5 smaller than ours, and particles are lighter by it.
    assert scene.snapshot.record["particle_mass_over_expected"] == pytest.approx(1, abs=2e-4)
    assert halos.record["positions_wrapped"] == halos.record["dropped_bad"] == 0
