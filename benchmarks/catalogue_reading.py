"""Reading a Subfind catalogue of 16 files: ours against opening each file and concatenating.

    python benchmarks/catalogue_reading.py [--directory DIR] [--groups 340000]

The catalogue is made up, with the fields of an IllustrisTNG catalogue (about 690 bytes a subhalo,
stored contiguously), and lies in the page cache: what is compared is work, not the disk. Rounds
are interleaved, and the best of each is taken.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from mockgal.protocols import ReadOptions
from mockgal.readers import chunks
from mockgal.readers.subfind.arepo import DIALECT, ArepoReader
from mockgal.readers.subfind.files import FOLDERS, open_set
from mockgal.readers.subfind.rows import Chosen, read_datasets
from mockgal.testing import write_arepo

FILES, ROUNDS = 16, 7
# Beside the fields that are read: widths of the others in Group and Subhalo of IllustrisTNG.
PADDING = {
    "Group": (1, 1, 3, 10, 1, 6, 1, 6, 1, 10, 1, 3, 1, 1, 1),
    "Subhalo": (
        *(1, 1, 1, 1, 3, 10, 10, 10, 10, 10, 1, 1, 1, 1, 1, 1, 6, 1, 1, 1, 6, 6, 6, 1, 6),
        *(1, 1, 1, 3, 10, 10, 10, 1, 1, 8, 1, 1, 1, 1, 1),
    ),
}


def make(directory: Path, groups: int) -> Path:
    """Write the catalogue: contiguous datasets, as the public releases have them."""
    made = write_arepo(
        directory / "made", files=FILES, groups=groups, snapshots=False, side=1820, box_size=300.0,
        hydro=True,
    )  # fmt: skip
    final = directory / "run" / made.name
    final.mkdir(parents=True)
    for path in sorted(made.glob("*.hdf5")):
        with h5py.File(path) as source, h5py.File(final / path.name, "w") as file:
            for group in source:
                new = file.create_group(group)
                for name, value in source[group].attrs.items():
                    new.attrs[name] = value
                for name in source[group]:
                    if name != "SubhaloIDMostbound":
                        new[name] = source[group][name][...]
            for group, widths in PADDING.items():
                rows = len(next(iter(file[group].values())))
                for i, width in enumerate(widths):
                    shape = (rows,) if width == 1 else (rows, width)
                    file[group][f"Other{i:02d}"] = np.full(shape, 0.5, "f4")
        path.unlink()
    return final


def concatenate(paths: list[Path], only: set[str] | None = None) -> dict[str, np.ndarray]:
    """What everybody writes first: open, read, append, concatenate."""
    pieces: dict[str, list[np.ndarray]] = {}
    for path in paths:
        with h5py.File(path) as file:
            for group in ("Group", "Subhalo"):
                for name in file[group]:
                    if only is None or f"{group}/{name}" in only:
                        pieces.setdefault(f"{group}/{name}", []).append(file[group][name][...])
    return {name: np.concatenate(parts) for name, parts in pieces.items()}


def main() -> None:
    """Print seconds and ratios."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--directory", type=Path)
    arguments.add_argument("--groups", type=int, default=340_000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch:
        run = make(Path(scratch), options.groups)
        paths = sorted(run.glob("*.hdf5"), key=lambda p: int(p.name.split(".")[1]))
        size = sum(path.stat().st_size for path in paths)
        files = chunks.find_set(run, DIALECT.stems, FOLDERS)
        read_options = ReadOptions()

        def needed() -> dict[str, np.ndarray]:
            catalogue = open_set(files, read_options, DIALECT)
            return read_datasets(catalogue, Chosen(DIALECT, "200c", "bound"))

        def digests() -> list[str]:
            return [hashlib.sha256(p.read_bytes()).hexdigest() for p in paths]

        names = set(needed())
        whole = concatenate(paths, names)
        for name, values in needed().items():  # the same numbers
            np.testing.assert_array_equal(values, whole[name])
        cases = {
            "h5py, all datasets, concatenate (baseline)": lambda: concatenate(paths),
            "h5py, needed datasets, concatenate": lambda: concatenate(paths, names),
            "mockgal: needed datasets, headers and sizes checked": needed,
            "mockgal: whole read (digests, rows and physics checked)": lambda: ArepoReader().read(
                run, read_options
            ),
            "of which SHA-256 of the files, in one thread": digests,
        }
        best = dict.fromkeys(cases, np.inf)
        for _ in range(ROUNDS):
            for name, work in cases.items():
                start = time.perf_counter()
                work()
                best[name] = min(best[name], time.perf_counter() - start)
    rows = len(whole["Subhalo/SubhaloMass"])
    print(f"{FILES} files, {size / 1e6:.0f} MB, {rows} subhalos; best of {ROUNDS} rounds")
    baseline = best["h5py, all datasets, concatenate (baseline)"]
    for name, seconds in best.items():
        print(f"{name:58s} {seconds:7.3f} s   {baseline / seconds:5.2f}x the baseline")


if __name__ == "__main__":
    sys.exit(main())
