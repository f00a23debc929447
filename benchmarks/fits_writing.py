"""Write a catalogue to FITS with mockgal and its peers: seconds, MB/s, ratios, peak memory.

    python benchmarks/fits_writing.py [--rows 1e7] [--rounds 3] [--folder DIR]

Each method runs in a process of its own, which makes the columns (the first twelve of
`mockgal.columns.GALAXY_COLUMNS`, 85 bytes in a row), then writes them twice: the first time finds
memory that the system must get. Rounds go through all methods in turn, so that a busy machine slows
all alike; the best of each counts. Memory is
what the process grows by while it writes, at most: the columns are not counted, nor is the
system's cache of files.

mockgal's time is that of the call that users make: units are converted, the content is digested,
the file has CHECKSUM and DATASUM, is flushed to the disk, read back and verified, and renamed. The
peers do none of this but write what they are given, which is converted already; ``+ fsync`` rows
show what flushing to the disk adds. ``raw`` writes the bytes of our file: the machine's limit.
"""

import argparse
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from common import busy, in_process, machine, peak_memory, report, table

BASE = "astropy Table.write"
CHUNK, REPEATS = 65_536, 2
H = 0.6774


# ---- in the child


def columns(rows):
    """Twelve columns of a catalogue in internal units, in order of (halo_id, galaxy_id)."""
    from mockgal.columns import GALAXY_COLUMNS

    rng, result = np.random.default_rng(1), {}
    for name in list(GALAXY_COLUMNS)[:12]:
        dtype = np.dtype(GALAXY_COLUMNS[name].dtype)
        if dtype.kind == "i":
            result[name] = np.arange(rows, dtype=dtype)
        elif dtype.kind == "b":
            result[name] = rng.integers(0, 2, rows, dtype=bool)
        else:
            result[name] = rng.random(rows, dtype=dtype)
    return result


def fsync(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def mockgal(values, path, units="h-free"):
    """The writer as users call it; the seconds of its parts are added up on the way."""
    from mockgal.cosmology import Cosmology
    from mockgal.types import GalaxyCatalog, Snapshot
    from mockgal.writers import fits

    snapshot = Snapshot("benchmark", 1000.0, 0.0, Cosmology(H, 0.3089, 0.6911), 1e9, "none")
    galaxies = GalaxyCatalog(values, snapshot, "box", {})
    parts, verify = {}, fits._verify_content

    def timed_verify(*arguments):
        start = time.perf_counter()
        verify(*arguments)
        parts["verify"] = time.perf_counter() - start

    fits._verify_content = timed_verify
    fits.FITSWriter().write(galaxies.take(slice(0, 10)), path, units=units)  # imports, first calls
    path.unlink()

    def run():
        fits.FITSWriter().write(galaxies, path, units=units, chunk_rows=CHUNK)

    def after():
        start = time.perf_counter()
        galaxies.digest()
        parts["digest, alone"] = time.perf_counter() - start
        return dict(parts)

    return run, after


def mockgal_h(values, path):
    return mockgal(values, path, "h")


def astropy(values, path, flush=False):
    from astropy.table import Table

    table = Table(values, copy=False)

    def run():
        table.write(path, format="fits")
        if flush:
            fsync(path)

    return run, dict


def astropy_fsync(values, path):
    return astropy(values, path, flush=True)


def fitsio(values, path, flush=False):
    import fitsio as library

    def run():
        library.write(str(path), values)
        if flush:
            fsync(path)

    return run, dict


def fitsio_fsync(values, path):
    return fitsio(values, path, flush=True)


def streaming(values, path):
    """Chunks of rows through astropy's StreamingHDU, as its documentation shows."""
    from astropy.io import fits
    from astropy.table import Table

    rows = len(values["galaxy_id"])
    small = {name: array[:0] for name, array in values.items()}
    header = fits.table_to_hdu(Table(small)).header
    header["NAXIS2"] = rows
    record = np.dtype(
        [(k, "i1" if v.dtype == bool else v.dtype.newbyteorder(">")) for k, v in values.items()]
    )

    def run():
        stream = fits.StreamingHDU(path, header)
        for start in range(0, rows, CHUNK):
            part = np.empty(min(CHUNK, rows - start), record)
            for name, array in values.items():
                some = array[start : start + CHUNK]
                part[name] = np.where(some, ord("T"), ord("F")) if array.dtype == bool else some
            stream.write(part.view("u1"))
        stream.close()

    return run, dict


def raw(values, path):
    """The bytes of the table in file order, in pieces of 8 MiB, and fsync."""
    size = sum(array.nbytes for array in values.values())
    piece = np.random.default_rng(2).bytes(8 << 20)

    def run():
        with open(path, "wb", buffering=0) as file:
            for start in range(0, size, len(piece)):
                file.write(piece[: size - start])
            os.fsync(file.fileno())

    return run, dict


METHODS = {
    "mockgal": mockgal,
    "mockgal, units h": mockgal_h,
    "astropy Table.write": astropy,
    "astropy Table.write + fsync": astropy_fsync,
    "fitsio": fitsio,
    "fitsio + fsync": fitsio_fsync,
    "astropy StreamingHDU": streaming,
    "raw write + fsync": raw,
}


def child(method: str, rows: int, path: Path) -> None:
    run, after = METHODS[method](columns(rows), path)
    results = []

    def timed():
        cpu, start = time.process_time(), time.perf_counter()
        run()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        results.append({"seconds": seconds, "cpu": cpu, "parts": after()})

    most = 0
    for _ in range(REPEATS):
        path.unlink(missing_ok=True)
        before, peak = peak_memory(timed)
        most = max(most, peak - before)
    best = min(results, key=lambda result: result["seconds"])
    report({**best, "memory": most, "bytes": path.stat().st_size})


# ---- in the parent


def measure(method: str, rows: int, folder: str) -> dict:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        words = ["--child", method, "--rows", str(rows), "--folder", place]
        return in_process(__file__, words)


def shown(rounds: list[dict], methods: list[str]) -> str:
    """The best round of each method, and the most memory."""
    lines, base = [], None
    for method in methods:
        results = [r[method] for r in rounds if "seconds" in r[method]]
        if not results:
            lines.append([method, rounds[0][method].get("missing", "failed"), *[""] * 4])
            continue
        best = min(results, key=lambda r: r["seconds"])
        base = best["seconds"] if method == BASE else base
        lines.append(
            [
                method,
                f"{best['seconds']:.2f}",
                f"{best['cpu']:.2f}",
                f"{best['bytes'] / best['seconds'] / 1e6:.0f}",
                best["seconds"],
                f"{max(r['memory'] for r in results) / 1e6:.0f}",
            ]
        )
        lines += [[f"  {k}", f"{v:.2f}", *[""] * 4] for k, v in best["parts"].items()]
    for line in lines:
        if isinstance(line[4], float):
            line[4] = f"{base / line[4]:.1f}" if base else ""
    header = ["", "s", "CPU s", "MB/s", f"times {BASE}", "memory, MB"]
    return table(header, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, default=1e7)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--only", action="append", choices=METHODS)
    parser.add_argument("--child", choices=METHODS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    rows = int(options.rows)
    if options.child:
        child(options.child, rows, Path(options.folder) / "catalogue.fits")
        return
    methods = options.only or list(METHODS)
    print(machine(name for name in ("numpy", "astropy", "fitsio") if find_spec(name)))
    print(f"{rows:,} rows x 12 columns, best of {options.rounds}\n{busy()}")
    rounds = []
    for _ in range(options.rounds):
        rounds.append({method: measure(method, rows, options.folder) for method in methods})
    print(shown(rounds, methods))


if __name__ == "__main__":
    main()
