"""Numbers of catalogues that are changed, and what becomes of them.

`mutations` yields changes of one column of one format, `outcome` reads the changed catalogue (and
paints it, if asked). Run as a program it counts outcomes::

    python tests/mutations/values.py [NUMBER] [SEED]

An outcome is ``refused CODE``, ``same``, ``warned``, or ``within``: other numbers that are within
all bounds. What is beyond `LIMITS` in a catalogue that was read without a word is an error here.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "readers"))
sys.path.append(str(Path(__file__).parents[1] / "readers/tables/known"))
sys.path.append(str(Path(__file__).parents[1] / "faults"))
import table_samples
import test_known_bigfile as of_bigfile
import test_known_eagle as of_eagle
from halotools_samples import columns, facts, write_table
from read_faults import seal
from rockstar_samples import Sample, universe

import mockgal
from mockgal.errors import MockgalError
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import read
from mockgal.readers.matter.bigfile import open_block, rows_of
from mockgal.testing import write_arepo, write_gadget4
from mockgal.testing.compaso import header, made_up_halos, write_asdf
from mockgal.testing.matter import write_bigfile_block
from mockgal.testing.quijote import PARTICLE, made_up_groups, options, write_groups
from mockgal.types import Scene
from mockgal.writers.bundle import write_bundle

_SMALL = {"files": 1, "groups": 60, "snapshots": False}
_SUBFIND = [
    *("Subhalo/SubhaloPos", "Subhalo/SubhaloVel", "Subhalo/SubhaloMass", "Subhalo/SubhaloVmax"),
    *("Subhalo/SubhaloLen", "Group/Group_M_Crit200", "Group/Group_R_Crit200", "Group/GroupMass"),
    *("Group/Group_M_Mean200", "Group/Group_R_Mean200"),
]
_STARS = ["Subhalo/SubhaloHalfmassRadType", "Subhalo/SubhaloMassType"]
COLUMNS = {
    "gadget4": _SUBFIND,
    "gadget4-hydro": [*_SUBFIND, *_STARS],
    "arepo": _SUBFIND,
    "halotools": [
        *(
            f"halo_{name}"
            for name in ["x", "y", "z", "vx", "vy", "vz", "m200c", "r200c", "mvir", "vmax"]
        ),
    ],
    "rockstar": ["x", "y", "z", "vx", "vy", "vz", "mvir", "rvir", "rs", "vmax", "m200c"],
    "quijote": ["pos", "vel", "mass"],
    "compaso": ["pos", "vel", "number", "vmax"],
    "table": ["x", "y", "z", "vx", "vy", "vz", "m200c", "mvir", "vmax", "r200c"],
    "eagle": [
        *("CentreOfPotential_x", "Velocity_x", "Mass", "Vmax", "Group_M_Crit200"),
        *("Group_R_Crit200", "MassType_Star", "HalfMassRad_Star"),
    ],
    "bigfile": ["Position", "Velocity", "Length"],
    "mp-gadget": ["MassCenterPosition", "MassCenterVelocity", "Mass"],
    "bundle": [
        *(
            f"halos/{name}"
            for name in ["position", "velocity", "mass", "vmax", "host_mass", "n_particles"]
        ),
    ],
}
_FACTORS = {"1e3": 1e3, "1e-3": 1e-3, "1e10": 1e10, "1e-10": 1e-10, "h": 0.7, "-1": -1.0}
VALUES = {
    "1e30": 1e30,
    "-1e30": -1e30,
    "largest": 3e38,
    "zero": 0.0,
    "minus one": -1.0,
    "NaN": np.nan,
    "infinite": np.inf,
    "denormal": 1e-44,
    "1e5": 1e5,
    "1e19": 1e19,
}
KINDS = [*VALUES, *(f"times {name}" for name in _FACTORS), "shuffled"]
ROWS = ("one", "some", "all")
LIMITS = {  # apart from the package's own table, and in the units of the catalogue
    "velocity": (-3.001e4, 3.001e4),
    "mass": (0, 1.001e18),
    "host_mass": (0, 1.001e18),
    "vmax": (0, 3.001e4),
    "stellar_mass": (0, 1.001e15),
    "stellar_half_mass_radius": (0, 10.01),
    "n_particles": (0, 2e14),
}
LONGEST = 4000  # characters of a message, paths included


class Mutation(NamedTuple):
    """One change: which rows of which column of which format become what."""

    format: str
    column: str
    kind: str
    rows: str
    seed: int


def mutations(
    rng: np.random.Generator, n: int, formats: Sequence[str] = tuple(COLUMNS)
) -> Iterator[Mutation]:
    """Yield ``n`` changes of some formats."""
    for _ in range(n):
        name = str(rng.choice(formats))
        yield Mutation(
            name,
            str(rng.choice(COLUMNS[name])),
            str(rng.choice(KINDS)),
            str(rng.choice(ROWS, p=[0.6, 0.2, 0.2])),
            int(rng.integers(1 << 31)),
        )


def _options(name: str) -> ReadOptions:
    if name == "table":
        stated = {**table_samples.FACTS, "columns": table_samples.MAP}
        return ReadOptions(allow_empty_regions=True, **stated)
    if name == "eagle":
        return ReadOptions(allow_empty_regions=True, **of_eagle.GIVEN)
    return options() if name == "quijote" else ReadOptions(allow_empty_regions=True)


def _changed(values: np.ndarray, mutation: Mutation) -> np.ndarray:
    """The column with its rows changed; of vectors, one component."""
    rng = np.random.default_rng(mutation.seed)
    table = values.reshape(len(values), -1).copy()
    part = table[:, int(rng.integers(table.shape[1]))]
    number = {"one": 1, "some": max(2, len(part) // 10), "all": len(part)}[mutation.rows]
    rows = rng.permutation(len(part))[:number]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if mutation.kind == "shuffled":
            part[rows] = part[rng.permutation(rows)]
        elif mutation.kind in VALUES:
            part[rows] = np.array(VALUES[mutation.kind]).astype(part.dtype)
        else:
            factor = _FACTORS[mutation.kind.removeprefix("times ")]
            part[rows] = (part[rows] * factor).astype(part.dtype)
    return table.reshape(values.shape)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="mutated-values-"))


@cache
def _plain(name: str) -> tuple[Path, bytes]:
    """The file of a format that is not changed yet, and its bytes."""
    folder = _folder() / name
    folder.mkdir(exist_ok=True)
    if name.startswith("gadget4"):
        write_gadget4(folder, hydro=name.endswith("hydro"), **_SMALL)
    elif name == "arepo":
        write_arepo(folder, **_SMALL)
    if name in ("halotools", "bundle"):
        scene = read(_write(None, "gadget4"), _options(name))
        if name == "halotools":
            write_table(folder / "table.hdf5", columns(scene), facts(scene))
        else:
            write_bundle(scene, folder / "bundle.hdf5")
    if name in ("rockstar", "quijote", "compaso", "table", "eagle", "bigfile", "mp-gadget"):
        return folder, b""
    (path,) = folder.rglob("*.hdf5")
    return path, path.read_bytes()


def _write(mutation: Mutation | None, name: str) -> Path:
    """Write the catalogue of a format, changed; what is to be read."""
    path, whole = _plain(name)
    if name == "rockstar":
        table = dict(_universe())
        sample = Sample("hlist", table)
        if mutation is not None:
            place = sample.column(mutation.column)
            old = np.array([float(row[place]) for row in sample.rows])
            for row, value in zip(sample.rows, _changed(old, mutation), strict=True):
                row[place] = f"{value:.6g}"
        return sample.write(path / "hlist_1.00000.list")
    if name == "table":
        table = dict(_table())
        if mutation is not None:
            table[mutation.column] = _changed(table[mutation.column], mutation)
        np.savez(path / "halos.npz", **table)
        return path / "halos.npz"
    if name in ("eagle", "bigfile", "mp-gadget"):
        return _write_known(path, name, mutation)
    if name == "quijote":
        groups = made_up_groups(80)
        if mutation is not None:
            key = {"pos": "position", "vel": "velocity", "mass": "number"}[mutation.column]
            key = next(k for k in groups if k.startswith(key[:3]))
            groups[key] = _changed(np.asarray(groups[key]), mutation)
        shutil.rmtree(path)
        path.mkdir()
        stated = {"particle_mass": PARTICLE, "redshift": options().redshift}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return write_groups(path, **groups, **stated)
    if name == "compaso":
        halos = made_up_halos(60)
        if mutation is not None:
            of = {"pos": "x_L2com", "vel": "v_L2com", "number": "N", "vmax": "vcirc_max_L2com"}
            key = of[mutation.column]
            halos[key] = _changed(halos[key], mutation)
        return write_asdf(path / "halo_info_000.asdf", header(), halos)
    path.write_bytes(whole)
    if mutation is not None:
        with h5py.File(path, "r+") as file:
            if name == "halotools":
                rows = file["data"][...]
                rows[mutation.column] = _changed(rows[mutation.column], mutation)
                file["data"][...] = rows
            else:
                data = file[mutation.column]
                data[...] = _changed(data[...], mutation)
        if name == "bundle":
            seal(path)
    return path


def _write_known(path: Path, name: str, mutation: Mutation | None) -> Path:
    """Write a table with fixed names."""
    if name == "eagle":
        found = of_eagle.columns()
        if mutation is not None:
            found[mutation.column] = _changed(found[mutation.column], mutation)
        return of_eagle.write(path / "eagle.csv", found)
    if name == "mp-gadget":
        of_bigfile.mpgadget(path)
        if mutation is not None:
            block = path / "FOFGroups" / mutation.column
            stored = open_block(block)
            values = rows_of(stored, stored.members).read(0, stored.rows)
            write_bigfile_block(block, _changed(values, mutation))
        return path
    of_bigfile.fastpm(path)
    if mutation is not None:
        values = dict(zip(("Position", "Velocity", "Length"), of_bigfile.hosts(), strict=True))
        column = mutation.column
        write_bigfile_block(path / "LL-0.200" / column, _changed(values[column], mutation))
    return path


@cache
def _universe() -> tuple[tuple[str, np.ndarray], ...]:
    return tuple(universe(hosts=60).items())


@cache
def _table() -> tuple[tuple[str, np.ndarray], ...]:
    return tuple(table_samples.columns(hosts=60).items())


def _read(path: Path, name: str) -> tuple[Scene, list[str]]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        scene = read(path, _options(name), "quijote" if name == "quijote" else None)
    return scene, sorted(str(warning.message) for warning in told)


@cache
def _expected(name: str) -> tuple[str, int]:
    scene, told = _read(_write(None, name), name)
    return scene.halos.digest(), len(told)


def outcome(mutation: Mutation, *, paint: bool = False) -> str:
    """Read a changed catalogue, and say what came of it.

    Raises
    ------
    AssertionError
        Numbers beyond `LIMITS` were read without a word, or an error helps nobody.
    Exception
        Any that no user should see.
    """
    digest, before = _expected(mutation.format)
    try:
        scene, told = _read(_write(mutation, mutation.format), mutation.format)
        for name, (low, high) in LIMITS.items():
            if name in scene.halos:
                values = scene.halos[name]
                good = bool(((values >= low) & (values <= high)).all())
                assert good, f"{mutation}: {name} from {values.min():g} to {values.max():g}"
        if paint:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mockgal.paint(scene, "hod", seed=1, allow_extrapolation=True)
    except MockgalError as error:
        if error.exit_code not in (3, 4) or not error.fix or len(str(error)) > LONGEST:
            raise AssertionError(f"{mutation}: an error that helps nobody: {error!r}") from error
        return f"refused {error.code}"
    if scene.halos.digest() == digest:
        return "same" if len(told) <= before else "warned"
    return "warned" if len(told) > before else "within"


def main(number: int = 1000, seed: int = 1) -> None:
    """Count outcomes, and show what went wrong."""
    found: Counter[str] = Counter()
    by: Counter[tuple[str, ...]] = Counter()
    for place, mutation in enumerate(mutations(np.random.default_rng(seed), number)):
        try:
            what = outcome(mutation, paint=place % 10 == 0)
        except Exception as error:
            what = "WRONG"
            print(mutation, repr(error)[:500], flush=True)
        found[what] += 1
        if what == "within":
            by[mutation.format, mutation.column, mutation.kind, mutation.rows] += 1
        if place % 500 == 499:
            print(place + 1, dict(found), flush=True)
    print(dict(found))
    for key, times in by.most_common(60):
        print(times, *key)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
