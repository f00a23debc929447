"""HATS: a catalogue in HEALPix partitions of Parquet, which LSDB opens.

hats-import makes the partitions, from a Parquet file of ours, whose provenance and units they keep.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...digests import identity
from ...errors import CorruptFileError, InternalError, UsageError
from ...layout import HATS_PROPERTIES
from ...system.arrow import from_arrow, parquet_reader
from ...system.files.atomic import atomic_folder
from ...types import GalaxyCatalog
from ..parquet import ParquetWriter
from ..provenance import FileTable, plain_table
from .declared import CONE

PARTITION_ROWS = 1_000_000  # of the largest partition, as hats-import has by default
_ORDER = 7  # of the finest partitions, 0.5 deg wide, and of the map of counts
_WORK = "work"
_NEEDED = ("ra", "dec")
_KNOWN = ("dataset", "partition_info.csv", "point_map.fits", HATS_PROPERTIES, "properties")


class HATSWriter:
    """Writer of folders in HATS."""

    name = "hats"
    extensions: tuple[str, ...] = ()
    compression = "always"
    single_precision = True
    folder = True

    def check(self) -> None:
        """Raise if hats-import is not installed.

        Raises
        ------
        UsageError
        """
        _libraries(f"data model {self.name}")

    def check_catalogue(self, galaxies: GalaxyCatalog, where: object) -> None:
        """Raise if a catalogue has no place on the sky, or no rows.

        Raises
        ------
        UsageError
        """
        self.check_columns(galaxies.columns, where)
        if not len(galaxies):
            raise UsageError(where, "no galaxies", "one at least: HATS has no empty catalogues")

    def check_columns(self, names: Iterable[str], where: object) -> None:
        """Raise if catalogues of these columns have no place on the sky."""
        missing = set(_NEEDED) - set(names)
        if missing:
            raise UsageError(
                where,
                f"a catalogue without {' and '.join(sorted(missing))}",
                "galaxies on the sky, which HATS divides by their place",
                f"first make {CONE}",
            )

    def is_ours(self, folder: Path) -> bool:
        """Return whether a folder holds a catalogue in HATS, and nothing else."""
        names = {path.name for path in folder.iterdir()}
        extra = {name for name in names if not name.startswith("skymap") and name not in _KNOWN}
        return HATS_PROPERTIES in names and not extra

    def write(
        self,
        galaxies: GalaxyCatalog,
        path: Path,
        *,
        units: str = "h-free",
        overwrite: bool = False,
        chunk_rows: int = 65536,
        inputs: Iterable[Path] = (),
        single: Mapping[str, Any] | None = None,
    ) -> None:
        """Write ``galaxies`` to the folder ``path``: see `mockgal.protocols.Writer.write`."""
        self.check()
        self.check_catalogue(galaxies, path)
        with atomic_folder(
            path, overwrite=overwrite, is_ours=self.is_ours, inputs=inputs
        ) as temporary:
            work = temporary / _WORK
            work.mkdir()
            table = plain_table(galaxies, units, single)
            whole = work / "whole.parquet"
            ParquetWriter().write_table(table, whole, chunk_rows=chunk_rows)
            name = re.sub(r"[^A-Za-z0-9._-]", "_", path.name)
            _divide(whole, work, name, len(galaxies), path)
            for made in (work / name).iterdir():
                made.rename(temporary / made.name)
            _verify(temporary, table, path)
            shutil.rmtree(work)


def _libraries(where: object) -> tuple[Any, Any, Any]:
    """Return hats-import's arguments, its pipeline, and dask's client.

    Raises
    ------
    UsageError
        They are not installed; the message says how to install them.
    """
    try:
        from dask.distributed import Client
        from hats_import.catalog.arguments import ImportArguments
        from hats_import.pipeline import pipeline_with_client
    except ImportError as error:
        raise UsageError(
            where,
            f"HATS, and no hats-import ({error})",
            "hats-import",
            "pip install 'mockgal[hats]', or pip install hats-import",
        ) from error
    return ImportArguments, pipeline_with_client, Client


def _divide(whole: Path, work: Path, name: str, rows: int, path: Path) -> None:
    """Make the catalogue ``name`` in ``work`` of a Parquet file, in this process."""
    arguments, pipeline, client = _libraries(path)
    how = arguments(
        output_path=work,
        output_artifact_name=name,
        input_file_list=[whole],
        file_reader="parquet",
        ra_column="ra",
        dec_column="dec",
        use_schema_file=whole,
        expected_total_rows=rows,
        highest_healpix_order=_ORDER,
        pixel_threshold=PARTITION_ROWS,
        tmp_dir=work / "shards",
        progress_bar=False,
    )
    with client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as one:
        pipeline(how, one)


def _verify(folder: Path, table: FileTable, path: Path) -> None:
    """Raise unless the partitions hold the rows of the table.

    Raises
    ------
    InternalError
    """
    partitions = sorted(folder.glob("dataset/Norder=*/Dir=*/Npix=*.parquet"))
    keys = identity(table.galaxies.columns)
    try:
        order = np.lexsort([_column(partitions, name) for name in reversed(keys)])
        good = len(order) == len(table.galaxies)
        for column in table.columns if good else ():
            values = _column(partitions, column.name)[order]
            good &= np.array_equal(values, column.rows(0, len(values)))
    except (OSError, ValueError, LookupError, CorruptFileError) as error:
        raise InternalError(path, str(error), "partitions that can be read") from error
    if not good:
        raise InternalError(
            path, "other rows in the partitions", "the rows that were written", "report this"
        )


def _column(partitions: list[Path], name: str) -> Any:
    """Return the rows of a column in all partitions, one after another."""
    parts = []
    for partition in partitions:
        with open(partition, "rb") as source, parquet_reader(source, partition) as file:
            parts += [from_arrow(x) for x in file.read([name], use_threads=False)[name].chunks]
    return np.concatenate(parts)
