"""Size of a mock in each format: bytes for a galaxy, and seconds to write and to read it.

    python benchmarks/file_sizes.py [--galaxies 1e6] [--folder DIR] [--others]

The galaxies are painted with the HOD on made-up halos (`common.halos`), so that masses and flags
repeat as they do in a mock; positions are random in any. Writing includes the digests and reading
back for verification; reading includes the check of the content. ``--others`` measures ways of
compressing that mockgal does not take.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from common import busy, halos, machine, table

from mockgal.writers import hdf5, parquet

FORMATS = {
    "FITS": (".fits", {}),
    "FITS, gzip": (".fits.gz", {}),
    "HDF5": (".hdf5", {}),
    "HDF5, --compress": (".hdf5", {"compress": True}),
    "Parquet": (".parquet", {}),
}
PRECISIONS = {
    "float64": {},
    "float32": {"precision": "float32", "position_rounding": "0.1 kpc/h"},
}
BOX_SIZE = 500.0  # Mpc/h


OPTIONS = parquet._options


def set_up(filters: dict, settings: dict) -> None:
    """Compress HDF5 and Parquet in another way, if there is one."""
    if filters:
        hdf5._COMPRESSED = filters
    if settings:
        parquet._options = lambda columns: {
            name: value
            for name, value in (OPTIONS(columns) | settings).items()
            if value is not None
        }


def mock(galaxies: int):
    """Return about so many galaxies, in single precision where simulations have it."""
    import mockgal
    from mockgal.types import Cosmology, HaloCatalog, Scene, Snapshot

    columns = halos(galaxies, box_size=BOX_SIZE)
    columns = {
        name: values.astype("f4").astype("f8") if values.dtype.kind == "f" else values
        for name, values in columns.items()
    }
    columns["position"] = np.mod(columns["position"], BOX_SIZE)
    snapshot = Snapshot("made up", BOX_SIZE, 0.0, Cosmology(0.6774, 0.3089, 0.6911), 1e9, "none")
    scene = Scene(snapshot, HaloCatalog(columns, "200c", {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mockgal.paint(scene, "hod", seed=1, allow_extrapolation=True)


def others() -> dict[str, tuple[str, dict, dict, dict]]:
    """Return extension, options, and settings in place of those of HDF5 and Parquet."""
    import hdf5plugin

    gzip, parquet = {"compression": "gzip", "shuffle": True}, {"use_dictionary": False}
    return {
        "HDF5, gzip 1, shuffle": (".hdf5", {"compress": True}, gzip | {"compression_opts": 1}, {}),
        "HDF5, gzip 9, shuffle": (".hdf5", {"compress": True}, gzip | {"compression_opts": 9}, {}),
        "HDF5, lzf, shuffle": (
            *(".hdf5", {"compress": True}),
            *({"compression": "lzf", "shuffle": True}, {}),
        ),
        "HDF5, Zstandard 3, shuffle": (
            *(".hdf5", {"compress": True}),
            *({**hdf5plugin.Zstd(clevel=3), "shuffle": True}, {}),
        ),
        "Parquet, snappy": (
            *(".parquet", {}, {}),
            parquet | {"compression": "snappy", "compression_level": None},
        ),
        "Parquet, Zstandard 9": (".parquet", {}, {}, parquet | {"compression_level": 9}),
        "Parquet, Zstandard 3, plain bytes": (
            ".parquet",
            {},
            {},
            parquet | {"column_encoding": None},
        ),
    }


def main() -> None:
    import mockgal

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galaxies", type=float, default=1e6)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--others", action="store_true")
    options = parser.parse_args()
    galaxies = mock(int(options.galaxies))
    print(machine(("numpy", "h5py", "pyarrow")))
    print(f"{len(galaxies):,} galaxies, {len(galaxies.columns)} columns\n{busy()}")
    lines = []
    formats = others() if options.others else {name: (*x, {}, {}) for name, x in FORMATS.items()}
    kinds = [(units, precision) for units in ("h-free", "h") for precision in PRECISIONS]
    for units, precision in kinds:
        for name, (extension, how, filters, settings) in formats.items():
            set_up(filters, settings)
            how = how | {"units": units} | PRECISIONS[precision]
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                path = Path(folder) / f"mock{extension}"
                mockgal.write(galaxies[:10], path, **how)  # imports
                started = time.perf_counter()
                mockgal.write(galaxies, path, overwrite=True, **how)
                written = time.perf_counter()
                mockgal.read_galaxies(path)
                read = time.perf_counter()
                size = path.stat().st_size / len(galaxies)
            lines.append(
                [
                    *(name, units, precision),
                    *(f"{size:.1f}", f"{written - started:.1f}", f"{read - written:.1f}"),
                ]
            )
    print(
        table(["format", "units", "precision", "bytes for a galaxy", "write, s", "read, s"], lines)
    )


if __name__ == "__main__":
    main()
