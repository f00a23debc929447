"""Reads damaged copies of a file, one after the other, and says what came of each.

    python fuzz_child.py FIXTURE FOLDER FIRST COUNT

A line for each case: its number, and ``same``, ``refused``, ``different`` or a traceback.
"""

import os
import sys
import traceback
import warnings
import zlib
from pathlib import Path

import numpy as np
from rockstar_samples import Sample, universe

from mockgal.errors import MockgalError
from mockgal.protocols import ReadOptions
from mockgal.read.detect import read
from mockgal.testing import write_arepo, write_gadget4
from mockgal.write.bundle import write_bundle

os.environ.setdefault("MOCKGAL_HDF5_SECONDS", "2")


def _small(folder: Path, write: object) -> Path:
    return write(folder, files=1, groups=60, side=20)


def _bundle(folder: Path) -> Path:
    path = folder / "bundle.hdf5"
    write_bundle(read(_small(folder / "run", write_gadget4)), path)
    return path


def _cut(folder: Path) -> Path:
    """A set of two files, the first of which is damaged."""
    return write_arepo(folder, files=2, groups=60, snapshots=False) / "fof_subhalo_tab_002.0.hdf5"


def _hlist(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "hlist_1.00000.list"
    Sample("hlist", universe(hosts=60)).write(path)
    return path


FIXTURES = {
    "bundle": _bundle,
    "gadget4": lambda folder: _small(folder, write_gadget4),
    "arepo": lambda folder: _small(folder, write_arepo),
    "arepo-set": _cut,
    "hlist": _hlist,
}


def content(path: Path) -> str:
    """What is in the simulation at ``path``: all of it is read."""
    scene = read(path, ReadOptions(allow_empty_regions=True))
    crc = 0
    for chunk in scene.particles.chunks(5000) if scene.particles else ():
        crc = zlib.crc32(chunk.mass.tobytes(), zlib.crc32(chunk.position.tobytes(), crc))
    return f"{scene.halos.digest()} {scene.snapshot.facts()} {scene.snapshot.particle_mass} {crc}"


def damaged(whole: bytes, number: int) -> bytes:
    """The case ``number``: cut, or with bits flipped, bytes zeroed, swapped or put in."""
    rng = np.random.default_rng(number)
    data, place = bytearray(whole), int(rng.integers(len(whole)))
    kind = number % 6
    if kind == 0:
        return bytes(data[:place])
    # Headers are small beside the data: half of all cases are there.
    place = int(rng.integers(min(len(whole), 8192))) if number % 4 < 2 else place
    if kind in (1, 2):
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == 3:
        size = int(rng.integers(1, 64))
        data[place : place + size] = bytes(len(data[place : place + size]))
    elif kind == 4:
        other = int(rng.integers(len(whole)))
        data[place], data[other] = data[other], data[place]
    else:
        data[place:place] = rng.bytes(int(rng.integers(1, 16)))
    return bytes(data)


def main(fixture: str, folder: Path, first: int, count: int) -> None:
    """Read the damaged copies."""
    warnings.simplefilter("ignore")
    path = FIXTURES[fixture](folder)
    whole, expected = path.read_bytes(), content(path)
    for number in range(first, first + count):
        path.write_bytes(damaged(whole, number))
        try:
            outcome = "same" if content(path) == expected else "different"
        except MockgalError:
            outcome = "refused"
        except BaseException:
            outcome = traceback.format_exc().strip().replace("\n", " | ")[-600:]
        print(number, outcome, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
