"""Size of a mock in each format: bytes for a galaxy, and seconds to write and to read it.

    python benchmarks/file_sizes.py [--galaxies 1e6] [--folder DIR]

The galaxies are painted with the HOD on made-up halos (`common.halos`), so that masses and flags
repeat as they do in a mock; positions are random in any. Writing includes the digests and reading
back for verification; reading includes the check of the content.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from common import busy, halos, machine, table

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


def main() -> None:
    import mockgal

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galaxies", type=float, default=1e6)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    options = parser.parse_args()
    galaxies = mock(int(options.galaxies))
    print(machine(("numpy", "h5py", "pyarrow")))
    print(f"{len(galaxies):,} galaxies, {len(galaxies.columns)} columns\n{busy()}")
    lines = []
    kinds = [(units, precision) for units in ("h-free", "h") for precision in PRECISIONS]
    for units, precision in kinds:
        for name, (extension, how) in FORMATS.items():
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
    print(table(["format", "units", "precision", "bytes for a galaxy", "write, s", "read, s"], lines))


if __name__ == "__main__":
    main()
