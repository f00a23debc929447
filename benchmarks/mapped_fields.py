"""Fields in a file, mapped into memory, against fields in memory: cutting crops, and the file.

python benchmarks/mapped_fields.py [--preset centred] [--grid 640] [--crops 600] [--repeats 3]
    [--folder FOLDER]

The file is in the system's cache when crops are cut: what is measured is the mapping, not the disk.
Crops are cut around places anywhere, in batches that are drawn and turned as in training, by both
in turn; times are the best of the repeats. Writing is with digest, flush and reading back of the
header; it is held against a plain copy of the bytes to a file in the same folder, flushed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from common import best_of, busy, machine, table
from training_throughput import header, made_up

from mockgal.painters.cnn.architecture import architecture
from mockgal.training.data import field_files
from mockgal.training.data.field_files import Place
from mockgal.training.data.samples import CropBatches, Samples, Volume


def crops(samples: Samples, preset: str, number: int) -> None:
    """Cut crops of some of the samples."""
    shape = architecture(preset, width=1)
    batches = CropBatches(
        samples,
        np.arange(number),
        architecture=shape,
        normalisation=header(shape).normalisation,
        batch_size=32,
        symmetries="all",
        seed=1,
        shuffle=True,
    )
    for _ in batches.epoch(0):
        pass


def plain(path: Path, channels: np.ndarray) -> None:
    """Write the bytes, no more."""
    with path.open("wb") as file:
        file.write(channels.data)
        file.flush()
        os.fsync(file.fileno())


def main(arguments: list[str] | None = None) -> list[list[str]]:
    """Measure, and print a table; its rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="centred")
    parser.add_argument("--grid", type=int, default=640)
    parser.add_argument("--crops", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args(arguments)
    in_memory = made_up(given.grid, architecture(given.preset, width=1))
    (volume,) = in_memory.volumes
    channels = volume.channels
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        place = Place(Path(folder), "0")

        def pieces():  # type: ignore[no-untyped-def]
            for channel in channels:
                for start in range(0, given.grid, 16):
                    yield channel[start : start + 16]

        seconds = {
            "writing": best_of(
                given.repeats, lambda: field_files.written(place, channels.shape, pieces(), {})
            ),
            "checking": best_of(given.repeats, lambda: field_files.mended(place.folder)),
            "plain": best_of(given.repeats, lambda: plain(place.folder / "plain", channels)),
        }
        found = field_files.found(place, channels.shape)
        assert found is not None
        mapped = Volume(found[0], volume.voxel_size, volume.box_size, 0.0, volume.name)
        kept = {
            name: getattr(in_memory, name)
            for name in ("volume", "voxel", "halo_id", "features", "log_stellar_mass", "mass")
        }
        both = {
            "in memory": in_memory,
            "mapped": Samples((mapped,), **kept, part=in_memory.part, record={}),
        }
        times = dict.fromkeys(both, np.inf)
        for _ in range(given.repeats):
            for name, samples in both.items():
                once = best_of(1, lambda s=samples: crops(s, given.preset, given.crops))
                times[name] = min(times[name], once)
    rows = [
        [
            f"crops, {name}",
            f"{given.crops / time:.4g} crops/s",
            f"{times['in memory'] / time:.2f}",
        ]
        for name, time in times.items()
    ]
    rows += [
        [name, f"{channels.nbytes / time / 1e6:.4g} MB/s", f"{seconds['plain'] / time:.2f}"]
        for name, time in seconds.items()
    ]
    print("\n".join(text for text in (machine(), busy()) if text))
    print(table(["", "rate", "over memory, or over plain writing"], rows))
    return rows


if __name__ == "__main__":
    main()
