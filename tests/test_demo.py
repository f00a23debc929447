"""The demo gives the numbers that stand in catalogs/demo.expected.yaml."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

import mockgal
from mockgal.recipe import check, read_yaml

CATALOGS = Path(__file__).parents[1] / "catalogs"


@pytest.fixture(scope="module")
def expected():
    return yaml.safe_load((CATALOGS / "demo.expected.yaml").read_text())


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_recipe_gives_the_expected_numbers(expected, tmp_path):
    values = read_yaml(CATALOGS / "demo.yaml") | {"out": tmp_path / "mock.fits"}
    report = mockgal.build(check(values, "demo.yaml"))
    galaxies = report.galaxies
    assert galaxies.provenance["simulation"]["halo_digest"] == expected["halo_digest"]
    assert galaxies.provenance["painted"] == expected["painted"]
    assert len(galaxies) == expected["galaxies"]
    assert int(galaxies["is_central"].sum()) == expected["centrals"]
    assert galaxies["stellar_mass"].astype(float).sum() == pytest.approx(
        expected["stellar_mass_sum_msun_h"], rel=1e-6
    )
    assert galaxies.digest() == expected["content_digest"]


def test_command_line_and_recipe_agree(build_demo, expected):
    recipe = read_yaml(CATALOGS / "demo.yaml")
    cuts = [part for cut in recipe["cut"] for part in ("--cut", cut)]
    result = build_demo(
        "--seed",
        recipe["seed"],
        "--calibration",
        recipe["painter_options"]["calibration"],
        *cuts,
        "--out",
        "m.fits",
    )
    assert re.search(rf"^content +{expected['content_digest']}$", result.stdout, re.M)


def test_the_bundle_is_small_and_documented(demo_bundle):
    assert demo_bundle.stat().st_size < 4_000_000
    text = (CATALOGS / "demo" / "README.md").read_text()
    assert "Gadget-4" in text
    sim = mockgal.read(demo_bundle)
    mass = sum(chunk.mass.sum() for chunk in sim.particles.chunks(10_000))
    density = mass / sim.snapshot.box_size**3
    assert density == pytest.approx(sim.snapshot.cosmology.mean_matter_density, rel=1e-3)
    assert np.isclose(sim.snapshot.particle_mass * sim.particles.count, mass)
