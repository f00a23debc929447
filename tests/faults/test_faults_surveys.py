"""Faults 88 to 97, 106 and 107: what surveys meet, through the command."""

import re
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits

import mockgal
from mockgal.errors import OutputError
from mockgal.recipe import check_survey
from mockgal.tasks.surveying.survey import survey_files

sys.path.insert(0, str(Path(__file__).parents[1] / "survey"))
from boxes import poisson

CONE = {"redshifts": [0.02, 0.05]}
SKY = {"ra": ["0 deg", "90 deg"], "dec": ["0 deg", "90 deg"]}
DENSITY = {"by": "threshold", "redshifts": [0.025, 0.045], "density": "1e-4 h^3/Mpc^3"}
NSIDE = 4


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    """A box of 100 Mpc/h, and the same without velocities."""
    folder = tmp_path_factory.mktemp("mocks")
    box = poisson(1000).with_provenance(
        seed=1, completeness={"from_msun_h": 5e9, "because": "the floor of the law"}
    )
    mockgal.write(box, folder / "mock.fits")
    return folder / "mock.fits"


@pytest.fixture
def survey(tmp_path, mock, mockgal_command):
    """Run ``mockgal survey`` with a section; check the form of the error and that nothing stays."""

    def run(section, code, *words):
        (tmp_path / "s.yaml").write_text(yaml.safe_dump({"survey": section}))
        there = sorted(path.name for path in tmp_path.iterdir())
        result = mockgal_command(
            "survey", mock, "--recipe", "s.yaml", "--out", "out.fits", "--units", "h", *words
        )
        assert result.returncode == code, result.stderr
        if code:
            last = result.stderr.strip().splitlines()[-1]
            assert re.match(r"mockgal: error\[E\d+\] .+: found .+, expected .+", last)
            assert sorted(path.name for path in tmp_path.iterdir()) == there
        return result

    return run


def write_map(path, values=None, **cards):
    values = np.ones(12 * NSIDE**2) if values is None else values
    table = fits.BinTableHDU.from_columns([fits.Column("C", "D", array=values)])
    stated = {"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": NSIDE, "COORDSYS": "C"}
    for key, value in {**stated, **cards}.items():
        if value is not None:
            table.header[key] = value
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


@pytest.mark.fault(88)
@pytest.mark.parametrize(
    ("keyword", "name", "value"),
    [
        ("ORDERING", "order", "nested"),
        ("COORDSYS", "coordinates", "galactic"),
        ("NSIDE", None, None),
    ],
)
def test_a_map_that_does_not_say_what_it_is(survey, tmp_path, exit_code, keyword, name, value):
    write_map(tmp_path / "mask.fits", **{keyword: None})
    section = {"light_cone": CONE, "footprint": {"map": "mask.fits"}}
    message = survey(section, exit_code).stderr
    assert keyword in message
    if name is not None:
        assert f"{name}: " in message
        survey({**section, "footprint": {"map": "mask.fits", name: value}}, 0)


@pytest.mark.fault(89)
@pytest.mark.parametrize("wrong", ["values", "short", "gap", "no table"])
def test_maps_and_tables_that_are_wrong(survey, tmp_path, exit_code, wrong):
    write_map(tmp_path / "mask.fits", np.full(12 * NSIDE**2, 1.0 + (wrong == "values")))
    section = {"light_cone": CONE, "footprint": {"map": "mask.fits"}}
    if wrong == "short":
        whole = (tmp_path / "mask.fits").read_bytes()
        (tmp_path / "mask.fits").write_bytes(whole[: len(whole) - 3000])
    if wrong in ("gap", "no table"):
        text = "0.02 0.03 1\n0.04 0.05 1\n" if wrong == "gap" else "\n"
        (tmp_path / "nz.txt").write_text(text)
        section["n_of_z"] = {"by": "random", "table": "nz.txt", "unit": "h^3/Mpc^3"}
    survey(section, exit_code)


@pytest.mark.fault(90)
@pytest.mark.parametrize("by", ["threshold", "random", "measured"])
def test_densities_beyond_the_light_cone(survey, exit_code, by):
    n_of_z = {**DENSITY, "by": by, "redshifts": [0.03, 0.04, 0.06]}
    if by == "measured":
        del n_of_z["density"]
    message = survey({"light_cone": CONE, "n_of_z": n_of_z}, exit_code).stderr
    assert "1 of 2 bins beyond the light cone, such as 0.04 to 0.06" in message
    assert "0.02 to 0.05" in message


@pytest.mark.fault(91)
def test_more_galaxies_than_there_are(survey, exit_code):
    section = {"light_cone": CONE, "n_of_z": {**DENSITY, "density": "1 h^3/Mpc^3"}}
    assert re.search(r"0\.025 to 0\.045: \d+ of \d+\.\d", survey(section, exit_code).stderr)


@pytest.mark.fault(92)
@pytest.mark.parametrize(("density", "why"), [(2e-3, "too few"), (9e-4, "not complete")])
def test_a_density_that_the_box_does_not_reach(survey, mock, exit_code, density, why):
    message = survey({"number_density": f"{density} h^3/Mpc^3"}, exit_code).stderr
    reached = re.search(r"to ([0-9.e-]+) h\^3/Mpc\^3, (\d+) galaxies", message)
    mass = mockgal.read_galaxies(mock)["stellar_mass"]
    assert int(reached[2]) == np.count_nonzero(mass >= 5e9) < 900
    assert "the floor of the law" in message
    survey({"number_density": f"{reached[1]} h^3/Mpc^3"}, 0)  # the way out


@pytest.mark.fault(93)
def test_a_light_cone_deeper_than_its_box(survey, tmp_path, exit_code):
    result = survey({"light_cone": CONE}, exit_code)
    cone = mockgal.read_galaxies(tmp_path / "out.fits")
    repeats = len(cone) - len(np.unique(cone["galaxy_id"]))
    assert f"warning: {repeats} of {len(cone)} galaxies of the light cone are seen" in result.stderr
    assert f"{repeats:,} of them are repeats" in result.stdout
    assert cone.provenance["survey"][0]["seen_more_than_once"] == repeats
    assert any(f"{repeats} of {len(cone)}" in text for text in cone.provenance["warnings"])


@pytest.mark.fault(106)
def test_remappings_that_are_none_or_hold_no_such_survey(survey, tmp_path, exit_code):
    cap = {"opening": "8 deg", "direction": [1, 0, 0]}
    deep = {"light_cone": {"redshifts": [0.02, 0.06]}, "footprint": cap}
    vectors = "1 0 0, 0 1 0, 0 0 2"
    assert "a determinant of 1 or -1" in survey(deep, exit_code, "--remapping", vectors).stderr
    wide = {**deep, "footprint": {**cap, "opening": "50 deg"}}
    message = survey(wide, exit_code, "--remapping", "fit").stderr
    assert re.search(r"a survey of [0-9.]+ x [0-9.]+ x [0-9.]+ Mpc/h", message)
    assert "no light_cone" in survey({}, exit_code, "--remapping", "fit").stderr
    # the way out of fault 93
    assert "with remapping: fit none is seen twice" in survey(deep, 0).stderr
    result = survey(deep, 0, "--remapping", "fit", "--overwrite")
    assert "more than once" not in result.stderr
    assert "remapped to a cuboid of" in result.stdout
    assert "within 8 deg of ra 0, dec 0 deg" in result.stdout
    cone = mockgal.read_galaxies(tmp_path / "out.fits")
    assert len(np.unique(cone["galaxy_id"])) == len(cone) > 0


@pytest.mark.fault(107)
@pytest.mark.parametrize(
    "cap",
    [
        {"opening": "0 deg", "direction": ["10 deg", "20 deg"]},
        {"opening": "10 deg", "direction": ["400 deg", "20 deg"]},
        {"opening": "10 deg"},
        {"opening": "10 deg", "direction": [0, 0, 0]},
    ],
)
def test_openings_that_are_none(survey, exit_code, cap):
    assert "footprint" in survey({"light_cone": CONE, "footprint": cap}, exit_code).stderr


@pytest.mark.fault(94)
def test_a_light_cone_of_too_many_copies(tmp_path, mockgal_command, exit_code):
    mockgal.write(poisson(9, size=0.05), tmp_path / "small.fits")
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"survey": {"light_cone": CONE}}))
    result = mockgal_command("survey", "small.fits", "--recipe", "s.yaml", "--seed", 1)
    assert result.returncode == exit_code
    assert "499 copies along each axis" in result.stderr
    assert not (tmp_path / "small-survey.fits").exists()


@pytest.mark.fault(95)
def test_a_footprint_without_area(survey, tmp_path, exit_code):
    write_map(tmp_path / "mask.fits", np.zeros(12 * NSIDE**2))
    section = {"light_cone": CONE, "footprint": {"map": "mask.fits"}, "n_of_z": DENSITY}
    assert "no area" in survey({**section, "randoms": {"times": 2}}, exit_code).stderr


@pytest.mark.fault(96)
def test_steps_that_do_not_fit_the_galaxies(survey, tmp_path, mock, mockgal_command, exit_code):
    assert "make a light cone" in survey({"footprint": SKY}, exit_code).stderr
    survey({"light_cone": CONE, "footprint": SKY}, 0)
    again = ("survey", "out.fits", "--recipe", "s.yaml", "--out", "again.fits")
    result = mockgal_command(*again)
    assert result.returncode == exit_code
    assert "on the sky already" in result.stderr
    box = mockgal.read_galaxies(mock)
    names = [name for name in box.columns if not name.startswith("velocity")]
    mockgal.write(
        type(box)({x: box[x] for x in names}, box.snapshot, "box", box.provenance),
        tmp_path / "still.fits",
    )
    result = mockgal_command("survey", "still.fits", *again[2:])
    assert result.returncode == exit_code
    assert "no column velocity_x, velocity_y, velocity_z" in result.stderr
    assert not (tmp_path / "again.fits").exists()


@pytest.mark.fault(97)
@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize("which", ["galaxies", "randoms"])
@pytest.mark.parametrize("there", [False, True])
def test_both_files_or_none(mock, tmp_path, exit_code, which, there):
    """No file may grow beyond a size that the larger of the two exceeds."""
    times = 0.01 if which == "galaxies" else 30
    section = {"light_cone": CONE, "n_of_z": {**DENSITY, "density": "5e-4 h^3/Mpc^3"}}
    recipe = {
        "survey": {**section, "randoms": {"times": times}},
        "out": tmp_path / "a.fits",
        "overwrite": True,
    }
    names = ["a-randoms.fits", "a.fits"] if there else []
    for name in names:
        (tmp_path / name).write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError) as caught:
            survey_files([mock], check_survey(recipe, "s.yaml"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == exit_code
    assert ("randoms" in caught.value.where) == (which == "randoms")
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert {(tmp_path / name).read_text() for name in names} <= {"old"}
