"""Builds whose hosts are read in pieces: the same bytes as with all of them in memory."""

import re
from pathlib import Path

import pytest

import mockgal
from mockgal.recipe import check
from mockgal.tasks.parts import bound, streamed
from mockgal.tasks.parts.merge import merge
from mockgal.tasks.parts.paint import build_parts
from mockgal.tasks.parts.place import Parts, Place
from mockgal.tasks.parts.status import clean
from mockgal.tasks.parts.store import load
from mockgal.testing.compaso import write_compaso

ANY = {"allow_extrapolation": True}
ZHENG = {**ANY, "model": "zheng07", "threshold": -20.0, "stellar_mass_law": "moster13"}
LEAUTHAUD = {**ANY, "model": "leauthaud11", "luminosity_floor": "1e9 Msun/h"}
ABACUS = "logM_cut=12.5 log10(Msun/h), sigma=0.3, logM1=13 log10(Msun/h), kappa=0.5, alpha=1"
ABACUS = {
    **ANY,
    "model": "abacushod",
    "stellar_mass_law": "moster13",
    "parameters": f"{ABACUS}, alpha_c=0.3, alpha_s=0.9",
}
SHAM = {**ANY, "proxy": "vmax", "mass_function": "baldry2012", "scatter": "0.1 dex"}
POPULATE = {"populate": True, "populate_options": {"concentration": "catalogue"}}
BUILDS = {
    "zheng07": {"painter_options": ZHENG},
    "populate-zheng07": {"populate": True, "painter_options": ZHENG, "cut": ["is_central == 1"]},
    "populate-leauthaud11": {"painter_options": LEAUTHAUD, **POPULATE},
    "populate-abacushod": {"populate": True, "painter_options": ABACUS, "units": "h"},
    "redshift-space": {"survey": {"redshift_space": "z"}, "painter_options": ZHENG},
}


@pytest.fixture
def halos(tmp_path, monkeypatch):
    """Work in a folder of its own, with superslabs of halos that have been cleaned."""
    monkeypatch.chdir(tmp_path)
    return write_compaso(tmp_path, count=900, superslabs=3, samples="A")


def recipe(halos, **values):
    plain = {"sim": str(halos), "painter": "hod", "seed": 7, "out": "mock.fits"}
    return check(plain | values, "a test")


def in_parts(wanted, n, rows, monkeypatch):
    """Return the bytes of a mock that is built in parts from pieces, which leaves no trace."""
    monkeypatch.setattr(bound, "PIECE_ROWS", rows)
    place, _ = build_parts(wanted, Parts.of(f"1-{n}/{n}"))
    (facts,) = load(place.whole)[1]["snapshots"]
    assert facts[streamed.STREAMED], facts.get("whole")
    report = merge(wanted.output)
    text = report.path.read_bytes()
    report.path.unlink()
    Path(f"{report.path}.run.json").unlink()
    return text, report


@pytest.mark.parametrize("name", BUILDS)
def test_pieces_and_parts_give_the_mock_that_is_built_at_once(name, halos, monkeypatch):
    wanted = recipe(halos, **BUILDS[name])
    with mockgal.errors.listening(quiet=True):
        report = mockgal.build(wanted)
        text = report.path.read_bytes()
        report.path.unlink()
        Path("mock.fits.run.json").unlink()
        assert len(report.galaxies) > 50
        for n, rows in ((1, 10**6), (3, 50), (7, 301)):
            again, merged = in_parts(wanted, n, rows, monkeypatch)
            assert merged.digests == report.digests
            assert again == text  # provenance and warnings, too


def test_too_little_memory_is_said_with_a_way_out_that_works(halos, monkeypatch):
    wanted = recipe(halos, populate=True, painter_options=ZHENG)
    with pytest.raises(mockgal.errors.ResourceError, match="at least") as raised:
        build_parts(wanted, Parts.of("1/2"), memory=100 << 20)
    least = int(raised.value.fix.split('"')[1].split()[0]) << 20
    bound.Bound(least).check()
    monkeypatch.setattr(bound, "OF_PART", 100_000)  # as if a part were large
    with pytest.raises(mockgal.errors.ResourceError, match="more parts") as raised:
        build_parts(wanted, Parts.of("1/1"), memory=bound.FIXED + (60 << 20))
    more = raised.value.fix.split("--part ")[1].split(",")[0]
    _, made = build_parts(wanted, Parts.of(more), memory=bound.FIXED + (60 << 20))
    assert len(made) == int(more.split("/")[1]) > 2
    wanted = recipe(halos, painter="sham", painter_options=SHAM)
    with pytest.raises(mockgal.errors.UsageError, match="leave --memory out"):
        build_parts(wanted, Parts.of("1/2"), memory=1 << 30)


def test_pieces_follow_from_the_memory():
    rows = [bound.Bound(size << 20).piece_rows for size in (0, 410, 600, 4096)]
    assert rows[0] == rows[3] == bound.PIECE_ROWS
    assert rows[1] < rows[2] < rows[3]


@pytest.mark.slow
def test_memory_and_parts_on_the_command_line(halos, mockgal_command):
    build = ["build", "--sim", halos, "--painter", "hod", "--allow-extrapolation", "--populate"]
    build += ["--model", "zheng07", "--threshold", "-20", "--stellar-mass-law", "moster13"]
    assert mockgal_command(*build, "--out", "mock.fits").returncode == 0
    text = Path("mock.fits").read_bytes()
    together = ["--overwrite", "--out", "mock.fits", "--parts", "3", "--memory"]
    refused = mockgal_command(*build, *together, "100 MiB")
    assert refused.returncode == 6, refused.stderr
    assert Path("mock.fits").read_bytes() == text
    least = re.search(r'say --memory "(.+?)"', " ".join(refused.stderr.split()))[1]
    done = mockgal_command(*build, *together, least, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "3, painted by 2 processes" in done.stdout
    assert Path("mock.fits").read_bytes() == text
    Path("mock.fits").write_text("older")
    for part in ("1/3", "2-3/3"):
        one = ["--out", "mock.fits", "--overwrite", "--part", part, "--memory", "1 GiB"]
        done = mockgal_command(*build, *one)
        assert done.returncode == 0, done.stderr
        assert "as a whole" not in done.stdout
    assert mockgal_command("merge", "mock.fits", "--overwrite").returncode == 0
    assert Path("mock.fits").read_bytes() == text


def test_a_merge_that_ends_while_it_removes_the_parts_leaves_no_half_a_build(halos, monkeypatch):
    wanted = recipe(halos, populate=True, painter_options=ZHENG)
    place, _ = build_parts(wanted, Parts.of("1-2/2"))

    def fail(*_):
        raise OSError("killed, say")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", fail)
        merge(wanted.output)
    assert not place.folder.exists()
    assert [one.what for one in clean(Path(), remove=True)] == ["a half-written file"]
    assert clean(Path()) == []


def test_merging_before_the_simulation_is_read(halos):
    wanted = recipe(halos, populate=True, painter_options=ZHENG)
    Place.of(wanted, 2).make()
    with pytest.raises(mockgal.errors.IncompleteError, match="not been read") as raised:
        merge(wanted.output)
    build_parts(wanted, Parts.of(raised.value.fix.split("--part ")[1]))
    assert len(merge(wanted.output).galaxies) > 50
