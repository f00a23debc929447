"""``mockgal calibrate``, end to end as a user types it, and `mockgal.calibrate`."""

import numpy as np
import pytest
from terminal import mockgal as run_in_terminal

import mockgal
from mockgal.errors import MissingDatasetError
from mockgal.painters.hod.store import read
from mockgal.testing import synthetic_pair, write_gadget4

LEAST = ("--least-particles", 2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    return [write_gadget4(folder / n, hydro=n == "hydro", groups=400) for n in ("hydro", "dark")]


def of_pair(runs):
    return "--hydro", runs[0], "--dark", runs[1]


def test_the_command(mockgal_command, runs, tmp_path):
    about = ("--summary", "made up", "--caution", "a test", "--reference", "A. Paper 2026")
    arguments = (*of_pair(runs), "--out", "table.ecsv", *LEAST, *about)
    result = run_in_terminal("calibrate", *arguments, cwd=tmp_path, stdout_piped=True)
    table = read(tmp_path / "table.ecsv")
    p = table.provenance
    assert (table.name, p["summary"], p["caution"]) == ("table", "made up", "a test")
    assert p["references"] == ["A. Paper 2026"]
    for line in (
        "10 star particles of",
        "27 cubic sub-volumes",
        "hosts joined",
        "wrote       table",
    ):
        assert line in result.stdout
    pair = p["pairs"][0]
    scenes = [mockgal.read(run) for run in runs]
    assert [pair[label]["halo_digest"] for label in ("hydro", "dark")] == [
        scene.halos.digest() for scene in scenes
    ]
    for label, run in zip(("hydro", "dark"), runs, strict=True):
        catalogue = {path.name for path in run.iterdir()}
        of_it = [file for file in pair[label]["files"] if file["name"] in catalogue]
        assert len(of_it) == len(catalogue)
        assert all(len(file["sha256"]) == 64 for file in of_it)
        assert str(run.parent) not in (tmp_path / "table.ecsv").read_text()
    assert table.luminosity_floor == pytest.approx(
        10 * scenes[0].snapshot.record["star_particle_mass_msun_h"], rel=1e-3
    )
    mock = mockgal_command(
        "build",
        "--sim",
        runs[1],
        "--painter",
        "hod",
        "--calibration",
        "table.ecsv",
        "--out",
        "m.fits",
    )
    assert mock.returncode == 0, mock.stderr

    again = mockgal_command("calibrate", *arguments)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    same = mockgal_command("calibrate", *arguments, "--overwrite")
    assert same.returncode == 0, same.stderr
    assert read(tmp_path / "table.ecsv").digest == table.digest


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--out", "t.ecsv"), 2, "0 --dark and 0 --hydro"),
        (("--hydro", "{0}", "--out", "t.ecsv"), 2, "0 --dark and 1 --hydro"),
        (("--hydro", "{0}", "--dark", "{1}", "--out", "t.txt"), 2, ".ecsv"),
        (("--hydro", "{1}", "--dark", "{0}", "--out", "t.ecsv"), 3, "no stellar masses"),
        (("--hydro", "{0}", "--dark", "nowhere", "--out", "t.ecsv"), 3, "nowhere"),
        (
            ("--hydro", "{0}", "--dark", "{1}", "--out", "t.ecsv", "--luminosity-floor", "1e8"),
            2,
            "unit",
        ),
        (
            ("--hydro", "{0}", "--dark", "{1}", "--out", "t.ecsv", "--jackknife", "1"),
            2,
            "jackknife",
        ),
        (("--hydro", "{0}", "--dark", "{1}", "--out", "t.ecsv", "--bin-width", "3"), 2, "dex"),
    ],
)
def test_what_is_refused(mockgal_command, runs, tmp_path, arguments, code, said):
    result = mockgal_command("calibrate", *(a.format(*runs) for a in arguments))
    assert result.returncode == code, result.stderr
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not [p for p in tmp_path.iterdir() if p.suffix in (".ecsv", ".txt")]


def test_a_floor_in_other_units_is_the_same(runs):
    h = mockgal.read(runs[1]).snapshot.cosmology.h
    floors = {
        mockgal.calibrate(
            [tuple(runs)],
            luminosity_floor=floor,
            least_particles=2,
            measure_options={"jackknife": 0},
        ).luminosity_floor
        for floor in (5e10, "5e10 Msun/h")
    }
    assert floors == {5e10}
    other = mockgal.calibrate(
        [tuple(runs)],
        luminosity_floor=f"{5e10 / h!r} Msun",
        least_particles=2,
        measure_options={"jackknife": 0},
    )
    assert other.luminosity_floor == pytest.approx(5e10, rel=1e-12)
    assert other.provenance["luminosity_floor"] == "given"


def test_scenes_without_star_particles_need_a_floor():
    pair = synthetic_pair(500)
    with pytest.raises(MissingDatasetError, match="--luminosity-floor"):
        mockgal.calibrate([pair])
    table = mockgal.calibrate([pair], luminosity_floor=1e7, measure_options={"jackknife": 0})
    assert table.name == "calibration"
    assert np.all(table.columns["deficit"] == 0)


def test_options_that_it_does_not_have(runs):
    with pytest.raises(TypeError, match="colour"):
        mockgal.calibrate([tuple(runs)], colour="red")
