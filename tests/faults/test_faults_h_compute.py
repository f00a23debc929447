"""Faults 79 and 83: results that cannot be, and runs that do not belong together."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from mockgal import registry
from mockgal.calibration.hod_table import measure
from mockgal.cli import main
from mockgal.columns import GALAXY_COLUMNS
from mockgal.errors import MockgalError
from mockgal.laws.distribution import Distribution
from mockgal.painters import blocks
from mockgal.tasks import build as pipeline
from mockgal.testing import synthetic_pair

WRONG = {
    "mass of NaN": ("location", np.nan),
    "mass of 1e20 Msun/h": ("location", 20.0),
    "infinite mass": ("location", np.inf),
    "scatter of NaN": ("scale", np.nan),
    "probability of NaN": ("p_luminous", np.nan),
    "probability of 1.5": ("p_luminous", 1.5),
    "probability of -0.5": ("p_luminous", -0.5),
}
ROW = 7  # of the wrong prediction


class WrongPainter:
    """Paints every subhalo alike, but for one."""

    name = "wrong"
    needs = frozenset({"halos"})
    provides = (GALAXY_COLUMNS["stellar_mass"], GALAXY_COLUMNS["extrapolated"])
    references = ("nobody",)

    def __init__(self, kind="mass of NaN"):
        self.kind = kind

    def describe(self, scene):
        return {"name": self.name, "references": ["nobody"]}

    def predict(self, scene):
        n = len(scene.halos)
        values = {"p_luminous": np.ones(n), "location": np.full(n, 10.0), "scale": np.ones(n)}
        name, wrong = WRONG[self.kind]
        values[name][ROW] = wrong
        return Distribution(
            **values,
            residual_row=np.zeros(n, int),
            residual_probability=np.array([0.0, 1.0]),
            residual_quantiles=np.zeros((1, 2)),
            floor=8.0,
            extrapolated=np.zeros(n, bool),
        )


@pytest.mark.fault(79)
@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("compiled", [False, True])
def test_prediction_that_no_galaxy_has(demo_bundle, monkeypatch, kind, compiled, exit_code):
    monkeypatch.setattr(blocks, "LARGE", 1 if compiled else 1 << 40)
    scene = pipeline.read(demo_bundle)
    with pytest.raises(MockgalError) as caught:
        pipeline.paint(scene, WrongPainter(kind), seed=1)
    assert caught.value.exit_code == exit_code
    assert caught.value.fix
    assert str(scene.halos["halo_id"][ROW]) in caught.value.found.replace(",", " ").split()


@pytest.mark.fault(79)
def test_prediction_through_the_command(demo_bundle, tmp_path, monkeypatch, capsys, exit_code):
    place = registry.Entry(f"{__name__}:{WrongPainter.__name__}")
    monkeypatch.setitem(registry._BUILT_IN["painters"], "wrong", place)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[WrongPainter.__module__])
    out = tmp_path / "m.fits"
    out.write_text("old")
    words = ["--sim", demo_bundle, "--painter", "wrong", "--out", out, "--overwrite"]
    with pytest.raises(SystemExit) as caught:
        main(["build", *map(str, words)])
    assert caught.value.code == exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mockgal: error[E{exit_code}")
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.fault(83)
@pytest.mark.parametrize(
    "change",
    [
        lambda dark: {"redshift": 0.5},
        lambda dark: {"box_size": 1001.0},
        lambda dark: {"cosmology": replace(dark.cosmology, h=0.7)},
        lambda dark: {"cosmology": replace(dark.cosmology, omega_m=0.3)},
    ],
    ids=["redshift", "box", "h", "omega_m"],
)
def test_runs_that_are_no_pair(change, exit_code):
    hydro, dark = synthetic_pair(500)
    other = replace(dark, snapshot=replace(dark.snapshot, **change(dark.snapshot)))
    with pytest.raises(MockgalError) as caught:
        measure(
            [(hydro, other)],
            name="x",
            edges=np.arange(11, 15, 0.5),
            luminosity_floor=1e7,
            least_particles=20,
            provenance={},
        )
    assert caught.value.exit_code == exit_code
    assert caught.value.fix
