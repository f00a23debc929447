"""A painter whose parts fail, kill their process or take long, as notes in a folder say."""

from pathlib import Path

import pytest

from mockgal.errors import IncompleteError, listening
from mockgal.recipe import check
from mockgal.system.executors.processes import Processes
from mockgal.tasks.parts.build import build_in_parts
from mockgal.tasks.parts.place import Place
from mockgal.tasks.parts.store import load

PARTS = 6
# A painter whose parts with some halo do what a file says: its name and, in it, how many times.
TROUBLE = """
import os, signal, time
from pathlib import Path
from mockgal.errors import BadValueError, OutputError
from mockgal.painters.hod.painter import HODPainter

class Painter:
    name, needs, references = "trouble", frozenset({"halos"}), ("nobody",)
    provides = HODPainter.provides

    def predict(self, scene):
        ids = scene.halos["halo_id"]
        for note in Path(os.environ["TROUBLE"]).iterdir() if len(ids) < 200 else ():
            what, _, halo = note.name.partition("-")
            times = int(note.read_text())
            if times == 0 or int(halo or ids[0]) not in ids:
                continue
            if halo:
                note.write_text(str(times - 1))
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "poison":
                raise BadValueError("host_mass", "poison", "a mass", "do without")
            if what == "full":
                raise OutputError("x.fits", "No space left on device", "space", "free some")
            time.sleep(times / 100)
        return HODPainter().predict(scene)

    def describe(self, scene):
        return HODPainter().describe(scene) | {"name": "trouble"}
"""


def recipe(**values):
    plain = {"sim": "dark.hdf5", "painter": "trouble", "seed": 7, "drop_bad": True}
    return check(plain | {"out": "mock.fits"} | values, "a test")


def halo_of(part):
    """A halo of a part, once the simulation is shared out."""
    return int(load(Place.of(recipe(), PARTS).tile(part))[0]["0/halos/halo_id"][0])


def share_out(monkeypatch):
    """Share the halos out, and paint nothing."""
    with listening(quiet=True), monkeypatch.context() as patch:
        patch.setattr("mockgal.tasks.parts.build._paint", lambda *_: 0)
        with pytest.raises(IncompleteError, match="missing: 1, 2"):
            build_in_parts(recipe(), PARTS, Processes(1))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
