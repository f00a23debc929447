"""Mocks in single precision through the tasks: made again, in parts, in ensembles, measured."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import mockgal
from mockgal.errors import UsageError, listening
from mockgal.readers.mocks.reader import facts_of
from mockgal.recipe import check
from mockgal.tasks.ensembles.mocks import build_ensemble
from mockgal.tasks.parts.merge import merge
from mockgal.tasks.parts.paint import build_parts
from mockgal.tasks.parts.place import Parts
from mockgal.writers.provenance import sidecar_path

ENDS = {"fits": {}, "hdf5": {"compress": True}, "parquet": {"units": "h"}}


@pytest.fixture
def recipe(demo_bundle, tmp_path):
    sim = shutil.copy(demo_bundle, tmp_path / "dark.hdf5")

    def make(name, **more):
        values = {"sim": str(sim), "painter": "hod", "seed": 3, "out": str(tmp_path / name)}
        cut = "stellar_mass > 3e10 Msun/h"
        return check({**values, "cut": cut, "precision_out": "float32", **more}, "a test")

    return make


@pytest.mark.parametrize("end", ENDS)
def test_verified_and_made_again_to_the_byte(end, recipe, tmp_path):
    path = tmp_path / f"m.{end}"
    more = {**ENDS[end], "position_rounding": "2 pc/h"}
    with listening(quiet=True):
        mockgal.build(recipe(path.name, **more))
        assert mockgal.verify(path, inputs=True).is_right
        (made,) = mockgal.reproduce(path, tmp_path / f"again.{end}").mocks
        assert (made.verdict, made.same_file) == ("identical", True)
        if end != "hdf5":  # whose compression is only in the record
            sidecar_path(path).unlink()
            (made,) = mockgal.reproduce(path, tmp_path / f"alone.{end}").mocks
            assert (made.verdict, made.same_file) == ("identical", True)
        galaxies = mockgal.read_galaxies(path)
        same = mockgal.measure(galaxies, "mass_function")
    assert facts_of(path).file["float32"]["position_rounding"] == "2 pc/h"
    wide = recipe(f"wide.{end}", precision_out="float64", **ENDS[end])
    with listening(quiet=True):
        mockgal.build(wide)
        full = mockgal.read_galaxies(tmp_path / f"wide.{end}")
        np.testing.assert_array_equal(
            same.columns["galaxies"], mockgal.measure(full, "mass_function").columns["galaxies"]
        )
    # The content digest and that of the recipe are those of the mock, in any precision.
    assert facts_of(path).digest == facts_of(tmp_path / f"wide.{end}").digest
    assert galaxies.provenance["configuration_digest"] == full.provenance["configuration_digest"]


def test_parts_merge_to_the_same_bytes(recipe, tmp_path):
    with listening(quiet=True):
        mockgal.build(recipe("one.fits"))
        build_parts(recipe("merged.fits"), Parts.of("1-2/2"))
        merge(tmp_path / "merged.fits")
    assert (tmp_path / "one.fits").read_bytes() == (tmp_path / "merged.fits").read_bytes()


def test_mocks_of_another_precision_are_not_those_of_an_ensemble(recipe, tmp_path):
    with listening(quiet=True):
        build_ensemble(recipe("m{seed}.parquet", precision_out="float64"), [1, 2])
        with pytest.raises(UsageError):
            build_ensemble(recipe("m{seed}.parquet"), [1, 2])
        build_ensemble(recipe("m{seed}.parquet", overwrite=True), [1, 2])
        built = build_ensemble(recipe("m{seed}.parquet"), [1, 2, 3])
    assert built.kept == 2
    assert all("float32" in facts_of(path).file for path in tmp_path.glob("m*.parquet"))


def test_a_survey_of_it_says_so_and_is_stored_so(recipe, tmp_path):
    from mockgal.recipe import check_survey
    from mockgal.tasks.surveying.survey import survey_files

    plan = {
        "survey": {"redshift_space": "z"},
        "precision_out": "float32",
        "out": str(tmp_path / "s.hdf5"),
    }
    with listening(quiet=True):
        mockgal.build(recipe("m.fits"))
        survey_files([tmp_path / "m.fits"], check_survey(plan, "a test"))
    facts = facts_of(tmp_path / "s.hdf5")
    assert "position_z_rsd" in facts.file["float32"]["columns"]
    assert "float32" in facts.provenance["read_from"]
    assert Path(tmp_path / "s.hdf5").exists()
