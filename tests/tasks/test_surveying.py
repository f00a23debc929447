"""Surveys of mocks, from a recipe to the files: steps in their order, digests, what is refused."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.table import Table

import mockgal
from mockgal.errors import MissingDatasetError, UsageError
from mockgal.recipe import check, check_survey
from mockgal.survey import randoms as randoms_room
from mockgal.survey.footprint import SkyBox
from mockgal.survey.light_cone import light_cone
from mockgal.survey.number_density import volumes
from mockgal.survey_plan import SurveyPlan
from mockgal.tasks import write as write_task
from mockgal.tasks.surveying.steps import Survey
from mockgal.tasks.surveying.survey import survey_files
from mockgal.tasks.surveying.words import in_words
from mockgal.types import GalaxyCatalog
from mockgal.writers.bundle import write_bundle
from mockgal.writers.models.companions import randoms_path

sys.path.insert(0, str(Path(__file__).parents[1] / "survey"))
from boxes import COSMOLOGY, poisson

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
SKY = {"ra": ["350 deg", "80 deg"], "dec": ["-20 deg", "50 deg"]}
AREA = SkyBox((350.0, 80.0), (-20.0, 50.0)).area
WHOLE = {
    "light_cone": {"redshifts": [0.02, 0.1], "observer": ["10 Mpc/h", "20 Mpc/h", "30 Mpc/h"]},
    "footprint": SKY,
    "redshift_error": {"sigma_v": "300 km/s"},
    "stellar_mass_error": "0.2 dex",
    "n_of_z": {
        "by": "random",
        "redshifts": [0.03, 0.06, 0.09],
        "density": ["1e-3 h^3/Mpc^3", "5e-4 h^3/Mpc^3"],
    },
    "weights": {"fkp_power": "1e4 Mpc^3/h^3"},
    "randoms": {"times": 3},
    "regions": 8,
}


def carried_out(plan, *boxes, seed=5):
    return Survey.of(SurveyPlan.model_validate(plan)).carry_out(boxes, seed)


def shuffled(galaxies, seed=3):
    order = np.random.default_rng(seed).permutation(len(galaxies))
    columns = {name: values[order] for name, values in galaxies.columns.items()}
    return GalaxyCatalog(columns, galaxies.snapshot, "box", galaxies.provenance)


@pytest.fixture(scope="module")
def boxes():
    return [poisson(2500, satellites=300, redshift=z, seed=k) for k, z in enumerate((0.0, 0.07))]


@pytest.fixture(scope="module")
def done(boxes):
    return carried_out(WHOLE, *boxes)


def test_steps_have_one_order(done):
    galaxies, points = done
    steps = [step["step"] for step in galaxies.provenance["survey"]]
    assert steps == [
        *("light cone", "footprint", "redshift errors", "stellar-mass error", "n(z)"),
        *("weights", "regions"),
    ]
    assert [step["step"] for step in points.provenance["survey"]] == [
        *("randoms", "weights", "regions")
    ]
    assert len(points) == 3 * len(galaxies)
    assert set(np.unique(points["region"])) == set(range(8))
    density = np.where(galaxies["redshift_measured"] < 0.06, 1e-3, 5e-4)
    np.testing.assert_allclose(galaxies["weight_fkp"], 1 / (1 + 1e4 * density))


@pytest.mark.parametrize("by", ["threshold", "random"])
def test_one_digest_for_any_order_and_block(boxes, done, by, monkeypatch):
    plan = {**WHOLE, "n_of_z": {**WHOLE["n_of_z"], "by": by}}
    first = done if by == "random" else carried_out(plan, *boxes)
    monkeypatch.setattr(randoms_room, "_BLOCK", 1000)
    again = carried_out(plan, *map(shuffled, boxes[::-1]))
    assert again.galaxies.digest() == first.galaxies.digest()
    assert again.randoms.digest() == first.randoms.digest()
    other = carried_out(plan, *boxes, seed=6)
    assert other.randoms.digest() != first.randoms.digest()


@pytest.mark.parametrize(
    ("model", "name"), [("desi", "LRG_clustering.dat.fits"), ("boss", "galaxy_A.fits")]
)
def test_files_of_data_models_are_one_for_any_order_chunk_and_number_of_threads(
    boxes, done, model, name, tmp_path, monkeypatch
):
    """Byte by byte: galaxies, randoms and n(z)."""
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    mockgal.write(done.galaxies, tmp_path / name, model=model, randoms=done.randoms)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    monkeypatch.setattr(randoms_room, "_BLOCK", 777)
    monkeypatch.setattr(write_task, "CHUNK_ROWS", 100)
    again = carried_out(WHOLE, *map(shuffled, boxes[::-1]))
    (tmp_path / "again").mkdir()
    mockgal.write(again.galaxies, tmp_path / "again" / name, model=model, randoms=again.randoms)
    files = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert len(files) == 3
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / file).read_bytes(), file


def test_the_footprint_taken_at_once_or_after_the_whole_sky(boxes):
    plan = {"light_cone": WHOLE["light_cone"], "footprint": SKY}
    at_once = carried_out(plan, *boxes).galaxies
    whole = light_cone(boxes, redshifts=(0.02, 0.1), observer=(10.0, 20.0, 30.0))
    inside = SkyBox((350.0, 80.0), (-20.0, 50.0)).completeness(whole["ra"], whole["dec"]) > 0
    expected = whole[inside].with_columns(completeness=np.ones(inside.sum()))
    assert at_once.digest() == expected.digest()


def test_jumps_at_the_borders_of_snapshots():
    near, far = poisson(1000, redshift=0.03), poisson(700, redshift=0.08, seed=4)
    (jump,) = carried_out(
        {"light_cone": {"redshifts": [0.02, 0.1]}}, near, far
    ).galaxies.provenance["survey"][0]["jumps"]
    assert jump["numbers"] == 0.7
    assert jump["massive"] == pytest.approx(0.7, abs=0.2)


def test_what_is_measured_is_what_a_survey_sees(boxes):
    plan = {**WHOLE, "n_of_z": {**WHOLE["n_of_z"], "by": "threshold"}}
    plan["cut"] = "stellar_mass > 2e9 Msun/h"
    galaxies = carried_out(plan, *boxes).galaxies
    assert galaxies["stellar_mass"].min() > 2e9
    step = galaxies.provenance["survey"][4]
    assert (step["masses"], step["redshifts"]) == ("stellar_mass_measured", "redshift_measured")
    assert galaxies.provenance["cuts"][-1]["cut"] == "stellar_mass > 2e9 Msun/h"


def test_densities_in_other_units_and_from_tables(boxes, tmp_path):
    volume = volumes(boxes[0], np.array([0.03, 0.09]), AREA)[0]
    plan = {"light_cone": WHOLE["light_cone"], "footprint": SKY}
    h = COSMOLOGY.h
    (tmp_path / "nz.txt").write_text(f"0.03 0.09 {1e-3 * h**3}\n")
    on_the_sky = 1e-3 * volume / AREA / 0.06
    sources = [
        {"redshifts": [0.03, 0.09], "density": "1e-3 h^3/Mpc^3"},
        {"redshifts": [0.03, 0.09], "density": f"{1e-3 * h**3} 1/Mpc^3"},
        {"redshifts": [0.03, 0.09], "density": f"{on_the_sky} /deg^2"},
        {"table": tmp_path / "nz.txt", "unit": "Mpc^-3"},
    ]
    made = [carried_out({**plan, "n_of_z": {"by": "threshold", **x}}, *boxes) for x in sources]
    assert len({x.galaxies.digest() for x in made}) == 1
    assert len(made[0].galaxies) == round(1e-3 * volume)


def test_a_density_that_is_measured(boxes):
    n_of_z = {"by": "measured", "redshifts": [0.03, 0.09]}
    plan = {k: v for k, v in WHOLE.items() if "error" not in k} | {
        "n_of_z": n_of_z,
        "regions": None,
    }
    galaxies, points = carried_out(plan, *boxes)
    reached = galaxies.provenance["survey"][2]["reached_h3_mpc3"]
    volume = volumes(galaxies, np.array([0.03, 0.09]), AREA)
    assert len(galaxies) == pytest.approx(reached * volume)
    assert points.provenance["survey"][0]["redshifts_of"] == "the number density that was measured"
    np.testing.assert_allclose(galaxies["number_density"], reached[0])


def test_a_number_density_in_the_box(boxes):
    galaxies = carried_out({"number_density": "1e-3 h^3/Mpc^3", "redshift_space": "y"}, boxes[0])
    galaxies = galaxies.galaxies
    assert len(galaxies) == 1000
    assert galaxies.provenance["cuts"][-1]["density_h3_mpc3"] == 1e-3
    assert "position_y_rsd" in galaxies
    cone = carried_out(
        {
            "number_density": "1e-3 h^3/Mpc^3",
            **WHOLE,
            "n_of_z": None,
            "weights": None,
            "randoms": None,
            "regions": None,
        },
        *boxes,
    ).galaxies
    assert cone.provenance["survey"][0]["galaxies_in_boxes"] == 2000


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"footprint": SKY}, r"survey\.footprint.*make a light cone"),
        ({"cut": "redshift < 1"}, r"survey\.cut.*make a light cone"),
        ({"cut": "red < 1"}, "column 'red'"),
        ({**WHOLE, "regions": 90_000}, "regions"),
        (
            {**WHOLE, "footprint": {"ra": ["0 deg", "400 deg"], "dec": SKY["dec"]}},
            "right ascensions",
        ),
    ],
)
def test_refused(boxes, plan, message):
    with pytest.raises(UsageError, match=message):
        carried_out(plan, boxes[0])


def test_several_snapshots_need_a_light_cone(boxes):
    with pytest.raises(UsageError, match="2 snapshots, and no light cone"):
        carried_out({"number_density": "1e-4 h^3/Mpc^3"}, *boxes)


def test_galaxies_on_the_sky_take_no_steps_of_a_box(boxes, done):
    with pytest.raises(UsageError, match="on the sky already"):
        carried_out({"redshift_space": "x"}, done.galaxies)
    with pytest.raises(UsageError, match="area is not stated"):
        carried_out({"n_of_z": WHOLE["n_of_z"]}, done.galaxies)


@pytest.fixture(scope="module")
def demo(demo_bundle, tmp_path_factory):
    """A recipe that paints two snapshots: the demo's, and itself at another redshift."""
    folder = tmp_path_factory.mktemp("snapshots")
    sim = mockgal.read(demo_bundle)
    later = replace(sim.snapshot, redshift=0.009, name="later")
    write_bundle(replace(sim, snapshot=later, particles=None, field=None), folder / "later.hdf5")
    density = {"by": "random", "redshifts": [0.005, 0.012], "density": "2e-3 h^3/Mpc^3"}
    return {
        "sim": demo_bundle,
        "painter": "hod",
        "seed": 1,
        "survey": {
            "light_cone": {"redshifts": [0.004, 0.013], "snapshots": [folder / "later.hdf5"]},
            "n_of_z": density,
            "randoms": {"times": 2},
        },
    }


def test_painting_and_surveying_at_once_or_one_after_the_other(demo, tmp_path):
    whole = mockgal.build(check({**demo, "out": tmp_path / "whole.fits"}, "whole"))
    assert whole.randoms_path == tmp_path / "whole-randoms.fits"
    paths = []
    for n, sim in enumerate([demo["sim"], demo["survey"]["light_cone"]["snapshots"][0]]):
        paths.append(tmp_path / f"{n}.hdf5")
        own = {"sim": sim, "painter": "hod", "seed": 1, "out": paths[-1], "units": "h"}
        mockgal.build(check(own, "one"))
    cone = {"redshifts": [0.004, 0.013]}
    recipe = {"survey": {**demo["survey"], "light_cone": cone}, "out": tmp_path / "after.parquet"}
    after = survey_files(paths[::-1], check_survey(recipe, "after"))
    assert after.seed == 1
    assert after.galaxies.digest() == whole.galaxies.digest()
    assert after.randoms.digest() == whole.randoms.digest()
    shells = after.galaxies.provenance["survey"][0]["snapshots"]
    assert [shell["simulation"] for shell in shells] == ["out_dm64", "later"]


def test_files_are_those_of_the_report(demo, tmp_path):
    recipe = check({**demo, "out": tmp_path / "a.hdf5", "units": "h"}, "a")
    report = mockgal.build(recipe)
    for path, there in ((report.path, report.galaxies), (report.randoms_path, report.randoms)):
        found = mockgal.read_galaxies(path)
        assert found.digest() == there.digest()
        assert found.provenance["configuration_digest"] == recipe.configuration_digest()
        assert found.provenance["configuration"]["survey"] == recipe.survey.configuration()
    record = json.loads((tmp_path / "a.hdf5.run.json").read_text())
    assert record["content_digest"] == report.galaxies.digest()
    assert record["randoms"] == {
        "path": str(report.randoms_path),
        "content_digest": report.randoms.digest(),
    }
    assert [Path(file["path"]).name for file in record["input_files"]] == [
        "dark.hdf5",
        "later.hdf5",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *("a-randoms.hdf5", "a.hdf5", "a.hdf5.run.json")
    ]


def test_names_of_randoms():
    for name, expected in {
        "a.fits": "a-randoms.fits",
        "a.b.fits.gz": "a.b-randoms.fits.gz",
        "b.parquet": "b-randoms.parquet",
    }.items():
        assert randoms_path(Path("folder") / name, "mockgal") == Path("folder") / expected


def footprint_file(kind, folder):
    """A file with about the footprint `SKY`, and the plan that names it."""
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 200_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 200_000)))
    inside = SkyBox((350.0, 80.0), (-20.0, 50.0)).completeness(ra, dec) > 0
    path = folder / f"mask.{kind}"
    if kind == "randoms":
        path = path.with_suffix(".fits")
        Table({"RA": ra[inside], "DEC": dec[inside]}).write(path)
        return {"randoms": str(path), "nside": 16}
    if kind == "coverage":
        mocpy = pytest.importorskip("mocpy")
        moc = mocpy.MOC.from_lonlat(ra[inside] * units.deg, dec[inside] * units.deg, max_norder=4)
        moc.save(path, format="fits")
        return {"coverage": str(path)}
    west, east = np.radians([350.0, 80.0])
    caps = [
        (-np.sin(west), np.cos(west), 0, 1),
        (np.sin(east), -np.cos(east), 0, 1),
        (0, 0, 1, -(1 - np.sin(np.radians(50)))),
        (0, 0, 1, 1 - np.sin(np.radians(-20))),
    ]
    head = f"polygon 0 ( 4 caps, 1 weight, {AREA * (np.pi / 180) ** 2} str):"
    path.write_text("\n".join([head, *(" ".join(f"{x:.17g}" for x in cap) for cap in caps)]))
    return {"polygons": str(path)}


@pytest.mark.parametrize("kind", ["coverage", "polygons", "randoms"])
def test_footprints_of_files(boxes, tmp_path, kind):
    plan = {"light_cone": WHOLE["light_cone"], "footprint": footprint_file(kind, tmp_path)}
    found = carried_out(plan, *boxes).galaxies
    boxed = carried_out({**plan, "footprint": SKY}, *boxes).galaxies
    step = next(s for s in found.provenance["survey"] if s["step"] == "footprint")
    assert step["area_deg2"] == pytest.approx(AREA, rel=1e-6 if kind == "polygons" else 0.2)
    density, expected = len(found) / step["area_deg2"], len(boxed) / AREA
    assert density == pytest.approx(expected, rel=0.05)
    if kind == "polygons":
        np.testing.assert_array_equal(found["galaxy_id"], boxed["galaxy_id"])
    (words,) = [text for name, text in in_words(found.provenance["survey"]) if name == "footprint"]
    assert "mask." in words[0]


@pytest.mark.parametrize(
    ("velocity", "relative", "words"),
    [(30.0, 0.0, "sigma 30 km/s"), (0.0, 0.02, "sigma 0.02 (1 + z)"), (0.0, 0.0, "no error")],
)
def test_words_have_only_the_errors_of_redshifts_that_were_made(velocity, relative, words):
    step = {"sigma_v_km_s": velocity, "sigma_z_over_1_plus_z": relative, "catastrophic": 0}
    ((_, texts),) = in_words([{"step": "redshift errors", **step}])
    assert texts == [f"redshift_measured: {words}"]


def test_close_pairs_come_after_the_sample(boxes):
    plan = {**WHOLE, "close_pairs": "1000 arcsec"}
    galaxies, points = carried_out(plan, *boxes)
    whole = carried_out(WHOLE, *boxes).galaxies
    assert galaxies["weight"].sum() == len(whole) > len(galaxies)
    assert "weight_close_pairs" not in points
    steps = [step["step"] for step in galaxies.provenance["survey"]]
    assert steps.index("close pairs") == steps.index("n(z)") + 1


def test_randoms_without_places(tmp_path):
    path = tmp_path / "a.fits"
    Table({"RA": [1.0], "Z": [0.1]}).write(path)
    plan = {"footprint": {"randoms": str(path), "nside": 4}}
    with pytest.raises(MissingDatasetError, match="no RA and DEC"):
        Survey.of(SurveyPlan.model_validate(plan))


def test_two_names_of_one_output_are_refused(boxes, tmp_path):
    (tmp_path / "sub").mkdir()
    recipe = check_survey(
        {"survey": WHOLE, "out": tmp_path / "a.fits"}
        | {
            "survey": {
                **WHOLE,
                "randoms": {"times": 1, "out": str(tmp_path / "sub" / ".." / "a.fits")},
            }
        },
        "r.yaml",
    )
    with pytest.raises(UsageError, match="one file for galaxies and randoms"):
        survey_files([tmp_path / "mock.fits"], recipe)


def test_randoms_of_a_model_without_them_are_refused_before_any_work(tmp_path):
    recipe = check_survey({"survey": WHOLE, "out": tmp_path / "a.hdf5", "model_out": "gcr"}, "r")
    with pytest.raises(UsageError, match="randoms in the data model gcr"):
        survey_files([tmp_path / "there is no mock.fits"], recipe)


def test_a_column_that_the_model_needs_is_missed_before_the_survey(boxes, tmp_path):
    mockgal.write(boxes[0], tmp_path / "mock.fits")
    plan = {key: value for key, value in WHOLE.items() if key not in ("weights", "regions")}
    recipe = check_survey({"survey": plan, "out": tmp_path / "a.fits", "model_out": "desi"}, "r")
    with pytest.raises(UsageError, match="weights"):
        survey_files([tmp_path / "mock.fits"], recipe)


@pytest.mark.parametrize("cut", ["dec > 10 deg", "redshift < 0.08", "completeness > 0.5"])
def test_places_that_are_cut_have_no_density(boxes, cut):
    with pytest.raises(UsageError, match="footprint"):
        carried_out({**WHOLE, "cut": cut}, *boxes)
    alone = {key: WHOLE[key] for key in ("light_cone", "footprint")}
    assert len(carried_out({**alone, "cut": cut}, *boxes).galaxies)
    if cut != "completeness > 0.5":
        cone = mockgal.select(light_cone(boxes, redshifts=(0.02, 0.1)), cut)
        with pytest.raises(UsageError, match="cut by"):
            carried_out({key: WHOLE[key] for key in ("footprint", "n_of_z")}, cone)


def test_densities_of_the_box_before_those_on_the_sky(boxes):
    plan = {**WHOLE, "number_density": "2.5e-3 h^3/Mpc^3"}
    assert len(carried_out(plan, *boxes).galaxies)


def test_footprints_are_not_taken_one_after_the_other(boxes):
    first = carried_out({key: WHOLE[key] for key in ("light_cone", "footprint")}, *boxes).galaxies
    rest = {key: x for key, x in WHOLE.items() if key != "light_cone"}
    again = carried_out(rest, first)
    assert (
        again.galaxies.digest()
        == carried_out({**rest, "light_cone": WHOLE["light_cone"]}, *boxes).galaxies.digest()
    )
    other = {"ra": ["0 deg", "360 deg"], "dec": ["-90 deg", "90 deg"]}
    with pytest.raises(UsageError, match="within another one already"):
        carried_out({**rest, "footprint": other}, first)


def test_galaxies_thinned_twice_at_random(boxes):
    """The second time they are chosen by numbers of their own."""
    plan = {key: WHOLE[key] for key in ("light_cone", "footprint")}
    dense = {"by": "random", "redshifts": [0.03, 0.09], "density": "2e-3 h^3/Mpc^3"}
    first = carried_out({**plan, "n_of_z": dense}, *boxes).galaxies
    plan = {"footprint": SKY, "n_of_z": {**dense, "density": "1e-3 h^3/Mpc^3"}}
    second = carried_out(plan, first).galaxies
    step = second.provenance["survey"][-1]
    wanted = volumes(boxes[0], np.array([0.03, 0.09]), AREA)[0] * 1e-3
    assert step["after"] == pytest.approx(wanted, abs=5 * wanted**0.5)


def test_columns_of_one_line_of_sight_stay_in_the_box(boxes):
    moved = carried_out({"redshift_space": "z"}, boxes[0]).galaxies
    assert "position_z_rsd" in moved
    cone = carried_out({"light_cone": WHOLE["light_cone"]}, moved).galaxies
    assert "position_z_rsd" not in cone
    assert "position_z_rsd" in cone.provenance["survey"][-1]["columns_left_out"]
