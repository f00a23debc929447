"""Write a catalogue in a data model: the one engine of all that are declared as tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...errors import UsageError
from ...layout import DESI_RELEASES
from ...types import GalaxyCatalog
from ..provenance import FileColumn, FileTable, Source
from .boss import boss
from .declared import Derived, Model
from .desi import desi
from .gcr import gcr

DECLARED = ("desi", "boss", "gcr")


class TableWriter(Protocol):
    """A writer that takes a catalogue arranged as a table."""

    name: str
    extensions: tuple[str, ...]

    def write_table(self, table: FileTable, path: Path, **how: Any) -> None:
        """Write the table: see `mockgal.writers.fits.FITSWriter.write_table`."""


def make_model(name: str, release: str = DESI_RELEASES[0]) -> Model:
    """Return a data model of `DECLARED`.

    Parameters
    ----------
    name : str
    release : str
        Of DESI: one of `mockgal.layout.DESI_RELEASES`.

    Raises
    ------
    UsageError
        There is no such release.
    """
    if release not in DESI_RELEASES:
        raise UsageError("desi_release", repr(release), "one of " + ", ".join(DESI_RELEASES))
    return desi(release) if name == "desi" else {"boss": boss, "gcr": gcr}[name]()


def arranged(galaxies: GalaxyCatalog, model: Model, where: object) -> FileTable:
    """Return a catalogue as the table of a data model.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        Galaxies, or randoms.
    model : Model
    where : object
        The file, for messages.

    Raises
    ------
    UsageError
        See `check`.
    """
    check(galaxies, model, where)
    derived = Derived(galaxies)
    h = galaxies.snapshot.cosmology.h
    columns, held = [], set()
    for declared, source in model.chosen(galaxies.columns, where):
        column = declared.column(source or None)
        if source:
            values = galaxies[source]
            origin = declared.origin(derived) if declared.origin else 0.0
        else:
            values, origin = _made(declared.make, derived), 0.0
        power = column.h_power if model.units == "h" else 0
        columns.append(FileColumn(column, power, values, h, Source(source or None, origin)))
        held.add(source)
    facts = {
        "name": model.name,
        "columns_left_out": [name for name in galaxies.columns if name not in held],
        **({"release": model.release} if model.release else {}),
    }
    return FileTable(galaxies, model.units, tuple(columns), model.table, facts)


def check(galaxies: GalaxyCatalog, model: Model, where: object) -> None:
    """Raise if a catalogue cannot be written in a data model.

    Raises
    ------
    UsageError
        It lacks a column, or is of randoms for which the model has no files.
    """
    if Derived(galaxies).are_randoms:
        check_randoms(model, where)
    model.check_columns(galaxies.columns, where)


def check_randoms(model: Model, where: object) -> None:
    """Raise if a data model has no files of randoms.

    Raises
    ------
    UsageError
    """
    if not model.randoms:
        raise UsageError(
            where,
            f"randoms in the data model {model.name}, which has none",
            "galaxies alone",
            "leave randoms, and regions, which need them, out of the section survey of the recipe; "
            "a second run with them, but without --model-out, writes randoms of these galaxies",
        )


def _made(make: Any, derived: Derived) -> Any:
    return np.asarray(make(derived))


class ModelWriter:
    """Writer of a data model into the files of a format.

    Parameters
    ----------
    model : Model
    writer : TableWriter
        Of the format.
    """

    def __init__(self, model: Model, writer: TableWriter) -> None:
        self.model, self.writer = model, writer
        self.name, self.extensions = model.name, writer.extensions

    def check_catalogue(self, galaxies: GalaxyCatalog, where: object) -> None:
        """Raise if a catalogue cannot be written: see `check`."""
        check(galaxies, self.model, where)

    def check_randoms(self, where: object) -> None:
        """Raise if the model has no files of randoms."""
        check_randoms(self.model, where)

    def check_columns(self, names: Iterable[str], where: object) -> None:
        """Raise if catalogues of these columns cannot be written: see `Model.chosen`."""
        self.model.check_columns(names, where)

    def write(
        self,
        galaxies: GalaxyCatalog,
        path: Path,
        *,
        units: str = "h-free",
        overwrite: bool = False,
        chunk_rows: int = 65536,
        inputs: Iterable[Path] = (),
        **options: Any,
    ) -> None:
        """Write ``galaxies`` to ``path``: see `mockgal.protocols.Writer.write`.

        The data model has its own units.

        Raises
        ------
        UsageError
            See `check`; or ``units`` is ``"h"``, which is not the model's.
        """
        if units == "h" != self.model.units:
            raise UsageError(
                path,
                f"units h in the data model {self.model.name}",
                f"{self.model.units}, which it has",
                "leave out --units",
            )
        self.writer.write_table(
            arranged(galaxies, self.model, path),
            path,
            overwrite=overwrite,
            chunk_rows=chunk_rows,
            inputs=inputs,
            **options,
        )
