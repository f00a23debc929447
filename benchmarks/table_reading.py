"""Reading a table of halos: mockgal's checked scene against the readers of astropy and pandas.

    python benchmarks/table_reading.py [--directory DIR] [--halos 1e7]

Each format is read by mockgal, once as columns and once as a simulation with all checks of its rows
and the digest of its file; by astropy (FITS, and CSV up to a million rows) and by pandas (CSV,
Parquet), which read the same columns and check nothing. Every case runs in a process of its own,
and the file lies in the page cache. Ratios are to the fastest peer.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from common import best_of, busy, in_process, machine, peak_memory, report

NAMES = ("id", "x", "y", "z", "vx", "vy", "vz", "m200c", "vmax")
MAP = "position=x y z [Mpc/h], velocity=vx vy vz [km/s], host_mass=m200c [Msun/h], vmax=vmax [km/s]"
FORMATS = ("csv", "fits", "parquet")
SLOW_ABOVE = 1_000_000  # rows of CSV for astropy


def table(halos: int) -> dict[str, np.ndarray]:
    """Hosts of a box that holds as many as a simulation would, and columns that nobody needs."""
    rng = np.random.default_rng(1)
    mass = 1e11 * rng.pareto(0.9, halos).clip(0, 1e4) + 1e11
    columns = {"id": rng.permutation(halos)}
    columns |= {name: rng.uniform(0, _box(halos), halos) for name in "xyz"}
    columns |= {name: rng.normal(0, 300, halos) for name in ("vx", "vy", "vz")}
    columns |= {"m200c": mass, "vmax": 100 * (mass / 1e12) ** (1 / 3)}
    return columns | {f"other{k}": rng.random(halos) for k in range(7)}


def _box(halos: int) -> float:
    return float((halos / 1e-3) ** (1 / 3) * 5)


def write(folder: Path, halos: int) -> None:
    """Write the table in each format."""
    import pandas
    from astropy.table import Table

    columns = table(halos)
    pandas.DataFrame(columns).to_csv(folder / "halos.csv", index=False)
    pandas.DataFrame(columns).to_parquet(folder / "halos.parquet")
    Table(columns).write(folder / "halos.fits")


def work(who: str, path: Path, halos: int):
    """Return the function that reads the file."""
    if who == "columns":
        from mockgal.readers.tables.formats.files import tables
        from mockgal.readers.tables.table import FLOAT, INTEGER, gather

        wanted = {name: INTEGER if name == "id" else FLOAT for name in NAMES}
        return lambda: gather(tables(path)[0], wanted, 1 << 20)
    if who == "mockgal":
        import mockgal

        warnings.simplefilter("ignore")
        facts = {"redshift": 0, "h": 0.7, "omega_m": 0.3, "omega_lambda": 0.7}
        return lambda: mockgal.read(path, columns=MAP, box_size=_box(halos), **facts)
    if who == "astropy":
        from astropy.table import Table

        if path.suffix == ".fits":
            return lambda: [np.array(Table.read(path, memmap=True)[name]) for name in NAMES]
        return lambda: Table.read(path, format="ascii.fast_csv", include_names=list(NAMES))
    import pandas

    if path.suffix == ".csv":
        return lambda: pandas.read_csv(path, usecols=list(NAMES))
    return lambda: pandas.read_parquet(path, columns=list(NAMES))


OURS = ("columns", "mockgal")
PEERS = {"csv": ("pandas", "astropy"), "fits": ("astropy",), "parquet": ("pandas",)}


def main() -> None:
    """Print seconds, memory and ratios."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--directory", type=Path)
    arguments.add_argument("--halos", type=float, default=1e7)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    halos = int(options.halos)
    if options.one:
        who, path = options.one
        reading = work(who, Path(path), halos)
        reading()  # imports, and compiled code
        before, peak = peak_memory(reading)
        report({"seconds": best_of(options.repeats, reading), "bytes": peak - before})
        return
    print(machine(("numpy", "astropy", "pandas", "pyarrow")))
    print(busy(), end="")
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch:
        write(Path(scratch), halos)
        for form in FORMATS:
            path = Path(scratch) / f"halos.{form}"
            print(f"{form}: {halos:,} halos, {path.stat().st_size / 1e6:.0f} MB")
            found = {}
            for who in (*OURS, *PEERS[form]):
                if who == "astropy" and form == "csv" and halos > SLOW_ABOVE:
                    continue
                words = ["--one", who, str(path), "--halos", str(halos)]
                found[who] = in_process(__file__, [*words, "--repeats", str(options.repeats)])
            peers = [one["seconds"] for who, one in found.items() if who not in OURS]
            for who, one in found.items():
                if "missing" in one:
                    print(f"  {who:8s} {one['missing']}")
                    continue
                ratio = f"{one['seconds'] / min(peers):5.2f} times the fastest peer"
                print(f"  {who:8s} {one['seconds']:8.3f} s {one['bytes'] / 1e6:8.0f} MB  {ratio}")


if __name__ == "__main__":
    sys.exit(main())
