"""Reads damaged copies of a file, one after the other, and says what came of each.

    python fuzz_child.py FIXTURE[,FIXTURE...] FOLDER FIRST COUNT [stated]

With ``stated`` it is not bytes that are damaged, but what the file states that is changed
(`attribute_mutations`).

A line for each case: its number, and ``refused``, ``same``, ``explained`` (other content, which
follows from the values that the damage changed: no checksum covers them), ``untold`` (the same, and
the checksum of FITS cannot tell), ``different``, or a traceback. A fixture is a file, a way to read
all of it, and what its content depends on.
"""

import hashlib
import os
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import table_samples
from attribute_mutations import (
    mutate_asdf,
    mutate_ecsv,
    mutate_fits,
    mutate_hdf5,
    mutate_mock_hdf5,
    mutate_parquet,
    mutate_safetensors,
)
from galaxies_samples import catalogue
from halotools_samples import columns, facts, write_table
from rockstar_samples import Sample, universe

import mockgal
from mockgal.errors import InputError, MockgalError, UsageError
from mockgal.protocols import ReadOptions
from mockgal.readers.density import read_density
from mockgal.readers.detect import read
from mockgal.readers.hdf5 import headers, safe
from mockgal.readers.matter.choose import particles_at
from mockgal.readers.matter.grids import open_grid
from mockgal.testing import COSMOLOGY, write_arepo, write_gadget4
from mockgal.testing.compaso import write_compaso
from mockgal.testing.matter import write_fastpm, write_gadget_binary
from mockgal.types import DensityField
from mockgal.writers.bundle import write_bundle
from mockgal.writers.density import write_density

sys.path.append(str(Path(__file__).parents[1] / "painters"))

os.environ.setdefault("MOCKGAL_HDF5_SECONDS", "2")

Content = dict[str, str]


def _digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def scene_content(path: Path) -> Content:
    """What is in the simulation at ``path``, to the last particle."""
    scene = read(path, ReadOptions(allow_empty_regions=True))
    found = {name: _digest(values) for name, values in scene.halos.columns.items()}
    for number, chunk in enumerate(scene.particles.chunks(5000) if scene.particles else ()):
        found[f"particles {number}"] = _digest(chunk.position, chunk.mass)
    snapshot = scene.snapshot
    return {**found, "facts": f"{snapshot.facts()} {snapshot.particle_mass} {snapshot.name}"}


def mock_content(path: Path) -> Content:
    """What is in the catalogue of galaxies at ``path``."""
    galaxies = mockgal.read_galaxies(path)
    found = {name: _digest(values) for name, values in galaxies.columns.items()}
    return {**found, "facts": f"{galaxies.snapshot.facts()} {dict(galaxies.provenance)}"}


class Fixture(NamedTuple):
    """A file to damage.

    Parameters
    ----------
    write : callable
        Given an empty folder, writes there what is needed, and gives the path of the file.
    content : callable
        Given that path, reads everything.
    gives : mapping of str to tuple of str, optional
        What of the content each dataset (or column of a table) gives; attributes give everything.
        Without it, all of the content is under checksums.
    text : bool
        It is no HDF5, and has no checksums: a changed digit is another number.
    mutate : callable, optional
        Given the path and a number, changes what the file states.
    """

    write: Callable[[Path], Path]
    content: Callable[[Path], Content] = scene_content
    gives: dict[str, tuple[str, ...]] | None = None
    text: bool = False
    mutate: Callable[[Path, int], str] | None = None


def grid_content(path: Path) -> Content:
    """What is in the density grid at ``path``."""
    field = read_density(path)
    facts = f"{field.voxel_size} {field.kind} {field.assignment} {field.origin}"
    return {"rows": _digest(field.read_slab(0, field.grid_size)), "facts": facts}


def matter_content(path: Path) -> Content:
    """What is in the particles at ``path``, to the last."""
    matter = particles_at(path, ReadOptions(), None)
    if matter is None:  # its magic bytes are damaged
        return plain_grid_content(path)
    found = {
        f"particles {number}": _digest(chunk.position, chunk.mass)
        for number, chunk in enumerate(matter.particles.chunks(30))
    }
    return {**found, "facts": f"{matter.stated} {matter.total_mass}"}


def plain_grid_content(path: Path) -> Content:
    """What is in a grid that does not say what it is."""
    grid = open_grid(path)
    return {"rows": _digest(grid.read(0, grid.size))}


def weights_content(path: Path) -> Content:
    """What is in the weights at ``path``."""
    from mockgal.painters.cnn.weights.named import read_weights

    weights = read_weights(path)
    return {"facts": repr(weights.describe()), "digest": weights.digest}


def calibration_content(path: Path) -> Content:
    """What is in the calibration table at ``path``."""
    from mockgal.painters.hod import store as hod_store

    return {"digest": hod_store.read(path).digest}


def _bundle(folder: Path) -> Path:
    write_bundle(read(write_gadget4(folder / "run", **_SMALL)), folder / "bundle.hdf5")
    return folder / "bundle.hdf5"


def _first_of_a_set(folder: Path) -> Path:
    run = write_arepo(folder, files=2, groups=60, snapshots=False)
    return run / "fof_subhalo_tab_002.0.hdf5"


def _snapshot(folder: Path) -> Path:
    write_gadget4(folder, **_SMALL, hydro=True)
    return folder / "snap_002.hdf5"


def _halotools(folder: Path, texts: bool = False, **how: object) -> Path:
    scene = read(write_gadget4(folder / "run", groups=60, files=1, snapshots=False))
    stated, path = facts(scene), folder / "table.hdf5"
    write_table(path, columns(scene), stated, **how)
    if texts:  # of variable length, as newer versions of halotools write them
        with h5py.File(path, "r+") as file:
            for name, value in stated.items():
                if name not in ("Lbox", "particle_mass"):
                    file.attrs[name] = str(value)
    return path


def _hlist(folder: Path) -> Path:
    path = folder / "hlist_1.00000.list"
    Sample("hlist", universe(hosts=60)).write(path)
    return path


def _compaso(folder: Path) -> Path:
    """The whole box in one superslab; in ASDF the numbers have checksums, and the tree has none."""
    z = write_compaso(folder / "run", count=60, superslabs=1, samples="", cleaned="")
    return z / "halo_info" / "halo_info_000.asdf"


TABLES = {
    "fits": "halos.fits",
    "hdf5": "halos.hdf5",
    "pandas": "table.hdf5",
    "parquet": "halos.parquet",
    "npz": "packed.npz",
    "csv": "halos.csv",
    "xz": "halos.csv.xz",
    "ecsv": "halos.ecsv",
    "votable": "halos.vot",
}


def _table(folder: Path, name: str) -> Path:
    """A table whose names and map tell all; of its bytes only some formats have checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    table_samples.WRITERS[name](folder / name, table_samples.columns(hosts=60))
    return folder / name


def _table_content(path: Path) -> Content:
    stated = table_samples.MAP + ", halo_id=id, host_id=upid, n_particles=npart"
    options = ReadOptions(columns=stated, allow_empty_regions=True, **table_samples.FACTS)
    try:
        scene = read(path, options, "table")
    except UsageError as error:  # of a column that the damage took away
        raise InputError(error.where, error.found, error.expected, error.fix) from error
    return {name: _digest(values) for name, values in scene.halos.columns.items()}


def _mock(folder: Path, name: str) -> Path:
    mockgal.write(catalogue(60), folder / name)
    return folder / name


def _grid(folder: Path) -> Path:
    field = DensityField(
        4, 8.0, "delta", "CIC", "corner", lambda start, stop: np.zeros((stop - start, 4, 4))
    )
    scene = read(write_gadget4(folder / "run", groups=60, files=1, snapshots=False))
    path = folder / "grid.hdf5"
    write_density(field, scene.snapshot, path, quantity="matter", provenance={})
    return path


def _few(folder: Path, writer: Callable[..., Path], **how: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    position = np.random.default_rng(1).uniform(0.0, 32.0, (64, 3))
    mass = COSMOLOGY.matter_mass(32.0) / len(position)
    facts = {"box_size": 32.0, "redshift": 0.5, "cosmology": COSMOLOGY}
    return writer(folder / "snap", position, mass, **facts, **how)


def _gadget_binary(folder: Path) -> Path:
    return _few(folder, write_gadget_binary, format=2)


def _fastpm(folder: Path) -> Path:
    return _few(folder, write_fastpm, unit=1e3) / "Header" / "attr-v2"


def _npy(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "grid.npy", np.random.default_rng(1).uniform(size=(4, 4, 4)))
    return folder / "grid.npy"


def _shipped(folder: Path, pattern: str) -> Path:
    (first, *_) = sorted((Path(mockgal.__file__).parent / "painters").glob(pattern))
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(first, folder))


def _weights(folder: Path) -> Path:
    from weights_samples import weights

    from mockgal.painters.cnn.weights.named import save_weights

    save_weights(weights(), folder / "w.safetensors")
    return folder / "w.safetensors"


_SMALL = {"files": 1, "groups": 60, "side": 20}
_MEMBERSHIP = ("halo_id", "host_id", "is_central", "host_mass")
SUBFIND = {
    "SubhaloPos": ("position",),
    "SubhaloVel": ("velocity",),
    "SubhaloMass": ("mass",),
    "SubhaloVmax": ("vmax",),
    "SubhaloLen": ("n_particles",),
    "SubhaloMassType": ("stellar_mass", "facts"),
    "SubhaloMassInRadType": ("stellar_mass",),
    "SubhaloHalfmassRadType": ("stellar_half_mass_radius",),
    "SubhaloLenType": ("facts",),  # the mass of a particle
    "SubhaloFlag": ("flag",),
    "SubhaloGroupNr": _MEMBERSHIP,
    "SubhaloGrNr": _MEMBERSHIP,
    "SubhaloRankInGr": _MEMBERSHIP,
    "GroupFirstSub": _MEMBERSHIP,
    "GroupNsubs": _MEMBERSHIP,
    "Group_M_Crit200": ("host_mass",),
    "Coordinates": ("particles",),
    "Masses": ("particles",),
}
HALOTOOLS = {
    "halo_id": _MEMBERSHIP,
    "halo_upid": _MEMBERSHIP,
    "halo_hostid": _MEMBERSHIP,
    **{f"halo_{x}": ("position",) for x in "xyz"},
    **{f"halo_v{x}": ("velocity",) for x in "xyz"},
    "halo_m200c": ("host_mass", "mass"),
    "halo_mvir": ("mass",),
    "halo_vmax": ("vmax",),
}
FIXTURES = {
    "bundle": Fixture(_bundle, mutate=mutate_hdf5),
    "gadget4": Fixture(
        lambda folder: write_gadget4(folder, **_SMALL), gives=SUBFIND, mutate=mutate_hdf5
    ),
    "gadget4-snapshot": Fixture(
        _snapshot, lambda path: scene_content(path.parent), SUBFIND, mutate=mutate_hdf5
    ),
    "arepo": Fixture(
        lambda folder: write_arepo(folder, **_SMALL), gives=SUBFIND, mutate=mutate_hdf5
    ),
    "arepo-set": Fixture(_first_of_a_set, gives=SUBFIND),
    "halotools": Fixture(_halotools, gives=HALOTOOLS, mutate=mutate_hdf5),
    "halotools-texts": Fixture(
        lambda folder: _halotools(folder, True, chunks=(20,), compression="gzip"), gives=HALOTOOLS
    ),
    "hlist": Fixture(_hlist, text=True),
    "compaso": Fixture(_compaso, text=True, mutate=mutate_asdf),
    "gadget-binary": Fixture(_gadget_binary, matter_content, text=True),
    "fastpm": Fixture(_fastpm, lambda path: matter_content(path.parents[1]), text=True),
    "npy": Fixture(_npy, plain_grid_content, text=True),
    **{
        f"table-{kind}": Fixture(partial(_table, name=name), _table_content, text=True)
        for kind, name in TABLES.items()
    },
    "mock-fits": Fixture(
        lambda folder: _mock(folder, "mock.fits"), mock_content, mutate=mutate_fits
    ),
    "mock-hdf5": Fixture(
        lambda folder: _mock(folder, "mock.hdf5"), mock_content, mutate=mutate_mock_hdf5
    ),
    "mock-parquet": Fixture(
        lambda folder: _mock(folder, "mock.parquet"), mock_content, mutate=mutate_parquet
    ),
    "mock-fits-gz": Fixture(lambda folder: _mock(folder, "mock.fits.gz"), mock_content),
}
# Read with checksums of their own, or none: only what they state is changed here.
STATED = {name: fixture for name, fixture in FIXTURES.items() if fixture.mutate} | {
    "grid": Fixture(_grid, grid_content, mutate=mutate_hdf5),
    "weights": Fixture(_weights, weights_content, mutate=mutate_safetensors),
    "calibration": Fixture(
        lambda folder: _shipped(folder, "hod/calibrations/*.ecsv"),
        calibration_content,
        mutate=mutate_ecsv,
    ),
}


def _values(path: Path, names: list[str]) -> Iterator[tuple[str, str]]:
    """Datasets, columns of tables (``/NAME``) and attributes (``@``) that can be read."""
    with safe.open_hdf5(path) as file:
        for name in names:
            group, _, attribute = name.partition("@")
            try:
                if attribute:
                    value = headers.attribute(file, group, attribute, None)
                    exact = np.asarray(value).tolist()  # an array is printed with eight digits
                    yield "@", f"{name} {exact!r}"
                    continue
                table = name == "data"
                values = safe.read_rows(safe.dataset(file, name, records=table))
            except MockgalError:
                continue
            for column in values.dtype.names or ("",):
                part = values[column] if column else values
                yield column or name.rpartition("/")[2], f"{part.dtype} {_digest(part)}"


def names_in(path: Path) -> list[str]:
    """Datasets and attributes of a file that is not damaged."""
    found: list[str] = []

    def note(name: str, item: h5py.HLObject) -> None:
        found.extend(f"{name}@{attribute}" for attribute in item.attrs)
        if isinstance(item, h5py.Dataset):
            found.append(name)

    with h5py.File(path) as file:
        note("/", file)
        file.visititems(note)
    return found


def changed_parts(path: Path, names: list[str], expected: set, gives: dict) -> set[str] | None:
    """What of the content the damage may have changed; None for everything."""
    changed = {name for name, _ in expected ^ set(_values(path, names))}
    if "@" in changed:
        return None
    return {part for name in changed for part in gives.get(name, ())}


def structure(whole: bytes, path: Path) -> np.ndarray:
    """Places of what is not the values of datasets, nor empty."""
    near = np.convolve(np.frombuffer(whole, np.uint8) != 0, np.ones(9), "same") > 0
    if h5py.is_hdf5(path):

        def leave_out(_: str, item: h5py.HLObject) -> None:
            if isinstance(item, h5py.Dataset):
                chunks = range(item.id.get_num_chunks()) if item.chunks else ()
                for info in map(item.id.get_chunk_info, chunks):
                    near[info.byte_offset : info.byte_offset + info.size] = False
                if (start := item.id.get_offset()) is not None:
                    near[start : start + item.id.get_storage_size()] = False

        with h5py.File(path) as file:
            file.visititems(leave_out)
    return np.flatnonzero(near)


KINDS = ("cut", "bit", "bit", "zero", "swap", "put in", "pointer", "ones")


def damaged(whole: bytes, places: np.ndarray, number: int) -> bytes:
    """The case ``number``; two of three are in the structure of the file."""
    rng, kind = np.random.default_rng(number), KINDS[number % len(KINDS)]
    data = bytearray(whole)
    place = int(rng.choice(places) if rng.integers(3) else rng.integers(len(whole)))
    if kind == "cut":
        return whole[:place]
    if kind == "bit":
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == "put in":
        data[place:place] = rng.bytes(int(rng.integers(1, 16)))
    elif kind == "swap":
        size, other = int(rng.choice([1, 8, 64])), int(rng.choice(places))
        data[place : place + size], data[other : other + size] = (
            data[other : other + size],
            data[place : place + size],
        )
    elif kind == "pointer":  # of another object of the file, or its own
        place, other = place // 8 * 8, int(rng.choice(places)) // 8 * 8
        value = rng.choice([0, place, other, place + 8, len(whole)])
        new = int(value).to_bytes(8, "little") if rng.integers(2) else whole[other : other + 8]
        data[place : place + 8] = new
    else:
        size = int(rng.choice([1, 2, 4, 8, 16, 64, 512]))
        data[place : place + size] = (b"\xff" if kind == "ones" else b"\0") * size
    return bytes(data[: len(whole) + 16])


def _same_sums(whole: bytes, data: bytes, wrong: set[str]) -> bool:
    """Whether values of a FITS table were changed in a way that its checksums cannot tell.

    They add up words of 32 bits: an exchange of bytes that are at one place of theirs is not seen.
    """
    if not whole.startswith(b"SIMPLE  =") or len(whole) != len(data) or "facts" in wrong:
        return False
    sums = [int(np.frombuffer(x, ">u4").sum(dtype=np.uint64)) % (2**32 - 1) for x in (whole, data)]
    return sums[0] == sums[1]


LONGEST = 4000  # characters of a message, paths included


def _refused(error: MockgalError) -> str:
    good = error.exit_code in (3, 4) and error.fix and "\n" not in str(error)
    if good and len(str(error)) < LONGEST:
        return "refused"
    return f"an error that helps nobody: {error!r}"[:600]


def change_stated(fixture: str, folder: Path, first: int, count: int) -> None:
    """Read copies of which one statement is another; say what that is, where they are not good."""
    warnings.simplefilter("ignore")
    chosen = STATED[fixture]
    folder.mkdir(parents=True, exist_ok=True)
    path = chosen.write(folder)
    whole, expected = path.read_bytes(), chosen.content(path)
    for number in range(first, first + count):
        path.write_bytes(whole)
        what = chosen.mutate(path, number)
        try:
            outcome = "same" if chosen.content(path) == expected else "explained"
        except MockgalError as error:
            outcome = _refused(error)
        except BaseException:
            outcome = traceback.format_exc().strip().replace("\n", " | ")[-600:]
        good = outcome in ("same", "refused", "explained")
        print(number, outcome if good else f"{what}: {outcome}", flush=True)


def main(fixture: str, folder: Path, first: int, count: int) -> None:
    """Read the damaged copies."""
    warnings.simplefilter("ignore")
    chosen = FIXTURES[fixture]
    folder.mkdir(parents=True, exist_ok=True)
    path = chosen.write(folder)
    whole, expected, places = (
        path.read_bytes(),
        chosen.content(path),
        structure(path.read_bytes(), path),
    )
    names = names_in(path) if chosen.gives else []
    values = set(_values(path, names)) if chosen.gives else set()
    for number in range(first, first + count):
        path.write_bytes(damaged(whole, places, number))
        try:
            found = chosen.content(path)
            wrong = {name for name, _ in expected.items() ^ found.items()}
            outcome = "different: " + ", ".join(sorted(wrong)) if wrong else "same"
            if wrong and chosen.text:
                outcome = "explained"
            elif wrong and _same_sums(whole, path.read_bytes(), wrong):
                outcome = "untold"
            elif wrong and chosen.gives:
                allowed = changed_parts(path, names, values, chosen.gives)
                if allowed is None or {name.split()[0] for name in wrong} <= allowed:
                    outcome = "explained"
        except MockgalError as error:
            outcome = _refused(error)
        except BaseException:
            outcome = traceback.format_exc().strip().replace("\n", " | ")[-600:]
        print(number, outcome, flush=True)


if __name__ == "__main__":
    run = change_stated if sys.argv[5:] == ["stated"] else main
    for name in sys.argv[1].split(","):
        run(name, Path(sys.argv[2]) / name, int(sys.argv[3]), int(sys.argv[4]))
