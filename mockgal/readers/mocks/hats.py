"""Catalogues of mockgal in HATS: a folder of HEALPix partitions in Parquet.

Each partition has the metadata of the whole catalogue. Rows are put back into their order, by which
their digests are those that were written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from ...digests import IDENTITY
from ...errors import FormatError, HeaderError, MissingDatasetError, MockgalError, listed
from ...layout import HATS_PROPERTIES, PROVENANCE_DIGEST
from ...system.arrow import from_arrow
from ...system.memory import check_memory
from ...types import Array, SourceFile
from ..parquet_file import Footer
from .facts import Facts
from .ours import Ours
from .parquet import FOREIGN, check_columns, facts_of, footer_of, open_columns, translated
from .values import AGAIN

_PARTITIONS = "dataset/Norder=*/Dir=*/Npix=*.parquet"
_INDEX = "_healpix_29"  # which hats-import adds


@dataclass(frozen=True)
class HATSCatalogue:
    """An open folder: the checked description of its rows, and the footers of its partitions."""

    facts: Facts
    path: Path
    partitions: dict[Path, Footer]

    def where(self, column: str) -> str:
        """Return the place ``FOLDER:COLUMN``, for messages."""
        return f"{self.path}:{column}"

    def chunks(
        self, names: tuple[str, ...], chunk_rows: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        """Yield rows of the columns ``names``, sorted by the identity of galaxies.

        Yields
        ------
        start : int
            Index of the first row.
        columns : dict of str to ndarray, shape (rows in the chunk,)
        """
        size = sum(np.dtype(self.facts.declared[name].dtype).itemsize for name in names)
        check_memory(f"{self.path}", 2 * size * self.facts.rows)
        keys = [name for name in IDENTITY if name in self.facts.declared]
        read = tuple(dict.fromkeys((*names, *keys)))
        parts: dict[str, list[Array]] = {name: [] for name in read}
        for partition, footer in self.partitions.items():
            with open_columns(partition, footer, read) as file, translated(partition):
                table = file.read(columns=list(read), use_threads=False)
                for name in read:
                    parts[name] += [from_arrow(x) for x in table.column(name).chunks]
        columns = {name: np.concatenate(parts.pop(name)) for name in read}
        order = np.lexsort([columns[name] for name in reversed(keys)])
        for start in range(0, len(order), chunk_rows):
            rows = order[start : start + chunk_rows]
            yield start, {name: columns[name][rows] for name in names}


class HATSMocks(Ours):
    """Reader of catalogues that mockgal wrote in HATS."""

    name: ClassVar[str] = "hats"

    def detect(self, path: Path) -> bool:
        """Return whether a folder holds partitions with the metadata of mockgal; never raise."""
        try:
            if not os.path.isfile(path / HATS_PROPERTIES):
                return False
            first = next(iter(path.glob(_PARTITIONS)), None)
            return first is not None and PROVENANCE_DIGEST in footer_of(first).metadata
        except (MockgalError, OSError, ValueError):
            return False

    def _open(self, path: Path) -> AbstractContextManager[HATSCatalogue]:
        return open_catalogue(path)


@contextmanager
def open_catalogue(path: Path) -> Iterator[HATSCatalogue]:
    """Open the catalogue in the folder ``path``; check all footers, but not the rows.

    Raises
    ------
    FormatError
        The folder is no catalogue of mockgal.
    MissingDatasetError, HeaderError
        Partitions are missing, or are of different catalogues.
    MockgalError
        See `mockgal.readers.mocks.parquet.open_catalogue`.
    """
    footers = {partition: footer_of(partition) for partition in sorted(path.glob(_PARTITIONS))}
    if not footers:
        raise FormatError(path, "no partitions", f"a folder with {_PARTITIONS}", FOREIGN)
    first, head = next(iter(footers.items()))
    facts = facts_of(first, head)
    for partition, footer in footers.items():
        if footer.metadata.get(PROVENANCE_DIGEST) != head.metadata[PROVENANCE_DIGEST]:
            raise HeaderError(partition, "a partition of another catalogue", f"of {first}", AGAIN)
        own = {name: leaf for name, leaf in footer.columns.items() if name != _INDEX}
        check_columns(replace(footer, columns=own), facts)
    rows = sum(footer.rows for footer in footers.values())
    if rows != facts.rows:
        raise MissingDatasetError(
            path,
            f"{rows} rows in {len(footers)} partitions: {listed(p.name for p in footers)}",
            f"{facts.rows}, as in the provenance",
            AGAIN,
        )
    size = sum(os.stat(partition).st_size for partition in footers)
    source = (SourceFile(str(path), size, ""),)
    facts = facts._replace(snapshot=replace(facts.snapshot, source=source))
    yield HATSCatalogue(facts, path, footers)
