"""The section survey of a recipe: what is refused, what is recorded, where paths lead."""

import re

import pytest

from mockgal.errors import UsageError
from mockgal.recipe import check, check_survey, read_yaml

CONE = {"redshifts": [0.1, 0.3]}
DENSITY = {"by": "random", "redshifts": [0.1, 0.2, 0.3], "density": "1e-3 h^3/Mpc^3"}
WHOLE = {
    "number_density": "1e-2 h^3/Mpc^3",
    "light_cone": {**CONE, "observer": ["0 Mpc/h", "5 Mpc", "1 kpc/h"], "snapshots": ["later"]},
    "footprint": {"map": "masks/mask.fits", "order": "ring"},
    "redshift_error": {"sigma_v": "30 km/s", "catastrophic": 0.1, "catastrophic_range": [0, 1]},
    "stellar_mass_error": "0.1 dex",
    "cut": "redshift < 0.25",
    "n_of_z": {"by": "threshold", "table": "tables/nz.txt", "unit": "1/deg^2"},
    "weights": {"fkp_power": "1e4 Mpc^3/h^3"},
    "randoms": {"times": 20, "out": "ran.fits"},
    "regions": 30,
}


def recipe(survey):
    return check({"sim": "a", "painter": "hod", "survey": survey}, "my.yaml")


def test_the_whole_section():
    made = recipe(WHOLE)
    assert made.survey.cut == ("redshift < 0.25",)
    assert [str(path) for path in made.survey.inputs] == [
        "masks/mask.fits",
        "tables/nz.txt",
        "later",
    ]
    stated = made.configuration()["survey"]
    assert stated["footprint"] == {"map": "mask.fits", "order": "ring"}
    assert stated["n_of_z"]["table"] == "nz.txt"
    assert stated["randoms"] == {"times": 20.0}
    assert stated["light_cone"]["snapshots"] == [{"sim": "later", "painter_options": {}}]
    assert check_survey({"survey": WHOLE, "seed": 3}, "s.yaml").survey == made.survey


def test_it_changes_the_digest_and_its_files_do_not():
    plain = check({"sim": "a", "painter": "hod"}, "my.yaml")
    assert "survey" not in plain.configuration()
    elsewhere = {
        **WHOLE,
        "footprint": {"map": "/other/mask.fits", "order": "ring"},
        "randoms": {"times": 20},
    }
    digests = [recipe(x).configuration_digest() for x in (WHOLE, elsewhere, {"light_cone": CONE})]
    assert digests[0] == digests[1] != digests[2] != plain.configuration_digest()


@pytest.mark.parametrize(
    ("survey", "where", "message"),
    [
        ({"lightcone": CONE}, "survey.lightcone", "did you mean light_cone"),
        ({"light_cone": {"redshift": [0, 1]}}, "light_cone.redshift", "did you mean redshifts"),
        (
            {"light_cone": {**CONE, "snapshots": [{"simm": "a"}]}},
            r"snapshots\.0\.simm",
            "did you mean sim",
        ),
        ({"light_cone": {"redshifts": [0.3, 0.1]}}, "redshifts", "redshifts that increase"),
        ({"light_cone": {"redshifts": [0.1]}}, r"redshifts\.1", "found nothing"),
        ({"light_cone": {"redshifts": [0.1, 0.2, 0.3]}}, "redshifts", "fewer entries"),
        ({"light_cone": {"redshifts": 0.1}}, "redshifts", "a list"),
        ({**WHOLE, "regions": 2.5}, "regions", "a whole number"),
        ({"light_cone": {"redshifts": [True, 2]}}, r"redshifts\.0", "a number"),
        ({"light_cone": {**CONE, "observer": [0, 0, 0]}}, r"observer\.0", '"250 Mpc/h"'),
        ({"footprint": {"ra": ["0 deg", "9 deg"]}}, "footprint", "both ra and dec"),
        ({"footprint": {"ra": [0, 9], "dec": [0, 9]}}, r"footprint\.ra\.0", '"30 deg"'),
        ({"footprint": {}}, "footprint", "ra and dec, or one of opening"),
        ({"footprint": {"map": " "}}, "footprint.map", "a path"),
        ({"redshift_error": {"sigma_v": "30 km"}}, "sigma_v", '"30 km/s"'),
        ({"redshift_error": {"catastrophic": 0.1}}, "redshift_error", "catastrophic_range"),
        ({"stellar_mass_error": 0.1}, "stellar_mass_error", '"0.1 dex"'),
        ({"n_of_z": {**DENSITY, "by": "rank"}}, "n_of_z.by", "'threshold', 'random' or 'measured'"),
        ({"n_of_z": {**DENSITY, "density": ["1 Mpc"]}}, r"density\.0", '"1e-3 h^3/Mpc^3"'),
        ({"n_of_z": {**DENSITY, "redshifts": [0.1]}}, "n_of_z", "a density for each bin"),
        ({"n_of_z": {**DENSITY, "by": "measured"}}, "n_of_z", "redshifts alone"),
        ({"n_of_z": {"by": "random", "table": "nz.txt"}}, "n_of_z", "unit of the table"),
        ({"n_of_z": {"by": "random", "table": "t", "unit": "Mpc"}}, "n_of_z.unit", "h.3/Mpc.3"),
        ({"weights": {"fkp_power": "1e4 Mpc^3/h^3"}}, "survey", "n_of_z beside weights"),
        ({"n_of_z": DENSITY, "regions": 9}, "survey", "randoms beside regions"),
        ({"n_of_z": DENSITY, "randoms": {"times": 0}}, "randoms.times", "greater than 0"),
        ({"redshift_space": "z", "light_cone": CONE}, "survey", "redshift_space in the box"),
        ({"light_cone": {**CONE, "remapping": "best"}}, r"remapping\.vectors", "fit, or three"),
        ({"light_cone": {**CONE, "remapping": [[1, 0, 0]]}}, r"remapping\.vectors", "fit, or"),
        (
            {"light_cone": {**CONE, "remapping": [[1, 0, 0], [0, 2, 0], [0, 0, 1]]}},
            r"remapping\.vectors",
            "a determinant of 1 or -1",
        ),
        (
            {
                "light_cone": {
                    **CONE,
                    "remapping": {"vectors": "fit", "towards": ["0 deg", "0 deg"]},
                }
            },
            "remapping",
            "fit points to the survey",
        ),
        ({"footprint": {"opening": "9 deg"}}, "footprint", "opening and direction together"),
        (
            {"footprint": {"opening": "9 deg", "direction": [30, 20]}},
            r"footprint\.direction",
            "a right ascension and a declination",
        ),
        (
            {"footprint": {"opening": "9 deg", "direction": [0, 0, 0]}},
            r"footprint\.direction",
            "a vector",
        ),
        (
            {"footprint": {"opening": "9 deg", "direction": [0, 0, 1], "map": "m.fits"}},
            "footprint",
            "ra and dec, or one of opening",
        ),
        ({"redshift_space": "w"}, "redshift_space", "'x', 'y' or 'z'"),
        ({"number_density": 0.001}, "number_density", '"1e-3 h^3/Mpc^3"'),
        ("all", "survey", "a section"),
    ],
)
def test_refused(survey, where, message):
    with pytest.raises(UsageError, match=re.escape("my.yaml:")) as caught:
        recipe(survey)
    assert re.search(where, caught.value.where)
    assert message in str(caught.value) or re.search(message, str(caught.value))
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize("short", ["fit", [[1, 1, 0], [0, 1, 0], [0, 0, 1]]])
def test_short_forms_of_a_remapping(short):
    plans = [recipe({"light_cone": {**CONE, "remapping": x}}) for x in (short, {"vectors": short})]
    assert plans[0].survey == plans[1].survey
    digests = [plan.configuration_digest() for plan in plans]
    assert digests[0] == digests[1] != recipe({"light_cone": CONE}).configuration_digest()


def test_a_recipe_for_painting_is_none_for_mocks():
    with pytest.raises(UsageError, match=r"sim, painter, for painting .* painted already"):
        check_survey({"sim": "a", "painter": "hod", "survey": WHOLE}, "s.yaml")
    with pytest.raises(UsageError, match="did you mean survey"):
        check_survey({"survy": WHOLE}, "s.yaml")


def test_paths_start_from_the_folder_of_the_recipe(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "sim: a\npainter: hod\nsurvey:\n"
        "  light_cone:\n    redshifts: [0.1, 0.2]\n"
        "    snapshots: [b, {sim: c, painter_options: {calibration: ./mine.ecsv}}]\n"
        "  footprint: {map: mask.fits}\n"
        "  n_of_z: {by: random, table: nz.txt, unit: h^3/Mpc^3}\n"
        "  randoms: {times: 1, out: ran.fits}\n"
    )
    plan = check(read_yaml(tmp_path / "s.yaml"), "s.yaml").survey
    names = ("mask.fits", "nz.txt", "b", "c")
    assert plan.inputs == [tmp_path / name for name in names]
    assert plan.randoms.out == tmp_path / "ran.fits"
    options = plan.light_cone.snapshots[1].painter_options
    assert options["calibration"] == str(tmp_path / "mine.ecsv")
