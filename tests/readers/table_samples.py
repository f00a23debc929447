"""A table of halos in every format, with numbers that agree with each other."""

import bz2
import gzip
import lzma
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits
from astropy.table import Table
from rockstar_samples import PARTICLE, universe

from mockgal.testing import COSMOLOGY

UNITS = {
    **dict.fromkeys((*"xyz", "r200c"), "Mpc/h"),
    **dict.fromkeys(("vx", "vy", "vz", "vmax"), "km/s"),
    **dict.fromkeys(("m200c", "mvir"), "Msun/h"),
}
MAP = (
    "position=x y z [Mpc/h], velocity=vx vy vz [km/s], host_mass=m200c [Msun/h], "
    "mass=mvir [Msun/h], vmax=vmax [km/s], radius=r200c [Mpc/h]"
)
FACTS = {
    "box_size": 40.0,
    "redshift": 0.0,
    "h": COSMOLOGY.h,
    "omega_m": COSMOLOGY.omega_m,
    "omega_lambda": COSMOLOGY.omega_lambda,
    "particle_mass": PARTICLE,
}
FLAGS = [
    *("--box-size", "40 Mpc/h", "--redshift", "0", "--h", str(COSMOLOGY.h)),
    *("--omega-m", str(COSMOLOGY.omega_m), "--omega-lambda", str(COSMOLOGY.omega_lambda)),
    *("--particle-mass", f"{PARTICLE} Msun/h"),
]


def columns(hosts=80, **changes):
    """Columns in the units of `UNITS`; None takes one away."""
    table = universe(hosts=hosts)
    density = 200 * COSMOLOGY.critical_density(0.0) * 4 / 3 * np.pi
    names = ("id", "upid", *"xyz", "vx", "vy", "vz", "m200c", "mvir", "vmax")
    found = {name: table[name] for name in names}
    found["r200c"] = (found["m200c"] / density) ** (1 / 3)
    found["npart"] = np.rint(found["mvir"] / PARTICLE).astype(np.int64)
    found["spin"] = np.linspace(0, 1, len(table["id"]))
    found |= changes
    return {name: np.asarray(values) for name, values in found.items() if values is not None}


def text(table, delimiter=",", head=""):
    rows = [head + delimiter.join(table)]
    words = [[repr(v) for v in values.tolist()] for values in table.values()]
    rows += [delimiter.join(row) for row in zip(*words, strict=True)]
    return "\n".join(rows) + "\n"


def write_fits(path, table, units=None, **keywords):
    codes = {"i8": "K", "f8": "D", "f4": "E", "b1": "L", "i4": "J"}
    found = [
        fits.Column(
            name,
            f"{values.shape[1] if values.ndim > 1 else ''}{codes[values.dtype.str[1:]]}",
            unit=(units or {}).get(name),
            array=values,
        )
        for name, values in table.items()
    ]
    hdu = fits.BinTableHDU.from_columns(found)
    hdu.header.update(keywords)
    hdu.writeto(path, overwrite=True, checksum=True)


def write_gzipped_fits(path, table):
    write_fits(path, table)  # astropy would compress it by the name
    data = Path(path).read_bytes()
    Path(path).write_bytes(data if data[:2] == b"\x1f\x8b" else gzip.compress(data))


def write_hdf5(path, table, units=None, group="halos"):
    with h5py.File(path, "w") as file:
        for name, values in table.items():
            file[f"{group}/{name}"] = values
            if units and name in units:
                file[f"{group}/{name}"].attrs["units"] = units[name]


def write_records(path, table, units=None):
    rows = np.rec.fromarrays(list(table.values()), names=list(table))
    with h5py.File(path, "w") as file:
        file["catalogue/halos"] = np.asarray(rows)


def write_parquet(path, table, units=None):
    import pyarrow
    from pyarrow import parquet

    fields = [
        pyarrow.field(name, pyarrow.array(v).type, metadata={"unit": (units or {}).get(name, "")})
        for name, v in table.items()
    ]
    arrays = [pyarrow.array(v) for v in table.values()]
    parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(fields)), path)


def write_pandas(path, table, layout, **options):
    import pandas

    pandas.DataFrame(table).to_hdf(path, key="halos", format=layout, **options)


def _packed(compress):
    return lambda path, table: Path(path).write_bytes(compress(text(table).encode()))


WRITERS = {
    "halos.csv": lambda path, table: Path(path).write_text(text(table)),
    "windows.csv": lambda path, table: Path(path).write_bytes(
        text(table).replace("\n", "\r\n").encode()
    ),
    "halos.tsv": lambda path, table: Path(path).write_text(text(table, "\t")),
    "comment.csv": lambda path, table: Path(path).write_text(text(table, head="# by hand\n# ")),
    "blank.txt": lambda path, table: Path(path).write_text(text(table, " ")),
    "blanks.txt": lambda path, table: Path(path).write_text(text(table, "   ", "#")),
    "halos.csv.gz": _packed(gzip.compress),
    "halos.csv.bz2": _packed(bz2.compress),
    "halos.csv.xz": _packed(lzma.compress),
    "halos.fits": write_fits,
    "halos.ecsv": lambda path, table: Table(table).write(path, format="ascii.ecsv"),
    "commas.ecsv": lambda path, table: Table(table).write(path, format="ascii.ecsv", delimiter=","),
    "halos.vot": lambda path, table: Table(table).write(path, format="votable"),
    "binary.vot": lambda path, table: Table(table).write(
        path, format="votable", tabledata_format="binary2"
    ),
    "halos.parquet": write_parquet,
    "halos.npy": lambda path, table: np.save(
        path, np.asarray(np.rec.fromarrays(list(table.values()), names=list(table)))
    ),
    "halos.fits.gz": lambda path, table: write_gzipped_fits(path, table),
    "halos.npz": lambda path, table: np.savez(path, **table),
    "packed.npz": lambda path, table: np.savez_compressed(path, **table),
    "halos.hdf5": write_hdf5,
    "top.hdf5": lambda path, table: write_hdf5(path, table, group="/"),
    "records.hdf5": write_records,
    "fixed.hdf5": lambda path, table: write_pandas(path, table, "fixed"),
    "table.hdf5": lambda path, table: write_pandas(path, table, "table"),
    "data_columns.hdf5": lambda path, table: write_pandas(path, table, "table", data_columns=True),
}


def as_object(kind, table):
    """The table in memory."""
    if kind == "dict":
        return dict(table)
    if kind == "records":
        return np.asarray(np.rec.fromarrays(list(table.values()), names=list(table)))
    if kind == "Table":
        return Table(table)
    if kind == "masked":
        return Table(table, masked=True)
    if kind == "pandas":
        import pandas

        return pandas.DataFrame(table)
    import polars

    return polars.DataFrame(table)


OBJECTS = ("dict", "records", "Table", "masked", "pandas", "polars")
