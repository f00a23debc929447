"""Parsed rows to a scene: facts that the files or the user state, and rows that are not true."""

import numpy as np
import pytest

import mockgal
from mockgal.errors import BadValueError, MissingDatasetError, UnitsError, UsageError
from mockgal.protocols import ReadOptions
from mockgal.readers.scene import make_scene

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")

STATED = ("box_size", "redshift", "h", "omega_m", "omega_lambda")


@pytest.fixture(scope="module")
def sim(demo_bundle):
    return mockgal.read(demo_bundle)


def make(sim, path, options=None, unstated=(), **columns):
    """The demo's halos, as a reader would hand them over that does not know some facts."""
    snapshot, cosmology = sim.snapshot, sim.snapshot.cosmology.to_dict()
    path.write_bytes(b"rows")
    known = {"box_size": snapshot.box_size, "redshift": snapshot.redshift, **cosmology}
    known |= dict.fromkeys(unstated)
    return make_scene(
        {**sim.halos.columns, **columns},
        path,
        options or ReadOptions(),
        format="ours",
        simulation="run",
        mass_definition=sim.halos.mass_definition,
        box_size=known.pop("box_size"),
        redshift=known.pop("redshift"),
        cosmology=known,
        record={"finder": "ours"},
    )


def test_rows_that_are_true_are_kept(sim, tmp_path):
    made = make(sim, tmp_path / "a")
    assert made.halos.digest() == sim.halos.digest()
    assert made.snapshot.cosmology == sim.snapshot.cosmology
    assert made.snapshot.record["finder"] == "ours"
    assert "given_by_user" not in made.snapshot.record
    (file,) = made.snapshot.source
    assert (file.path, file.size, len(file.digest)) == (str(tmp_path / "a"), 4, 64)


def test_what_is_not_stated_the_user_must(sim, tmp_path):
    with pytest.raises(MissingDatasetError, match=r"--box-size .*--redshift .*--omega-lambda"):
        make(sim, tmp_path / "a", unstated=STATED)
    snapshot, cosmology = sim.snapshot, sim.snapshot.cosmology
    facts = {name: getattr(cosmology, name) for name in ("h", "omega_m", "omega_lambda")}
    facts |= {"box_size": snapshot.box_size, "redshift": snapshot.redshift}
    made = make(sim, tmp_path / "a", ReadOptions(**facts), STATED)
    assert made.snapshot.box_size == snapshot.box_size
    assert made.snapshot.record["given_by_user"] == list(STATED)
    for size in (0.5, 3.0):
        wrong = ReadOptions(box_size=size * snapshot.box_size)
        with pytest.raises(UnitsError, match=r"--box-size"):
            make(sim, tmp_path / "a", wrong, ["box_size"])
    with pytest.raises(UsageError, match="--h"):
        make(sim, tmp_path / "a", ReadOptions(h=0.5))


def test_rows_that_cannot_be_are_named(sim, tmp_path):
    mass = np.array(sim.halos["mass"])
    mass[3] = np.nan
    with pytest.raises(BadValueError, match="a:mass, row 3"):
        make(sim, tmp_path / "a", mass=mass)
    drop = ReadOptions(drop_bad=True)
    before, after = make(sim, tmp_path / "a", drop), make(sim, tmp_path / "a", drop, mass=mass)
    assert after.halos.record["dropped_bad"] == before.halos.record["dropped_bad"] + 1
