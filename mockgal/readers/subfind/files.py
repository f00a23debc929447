"""The files of a Subfind catalogue of Gadget-4 or AREPO, and the facts in their headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import h5py
import numpy as np

from ...errors import MissingDatasetError, MockgalError, UnsafeInputError, printable
from ...protocols import ReadOptions
from .. import chunks, given
from ..checks import physics
from ..chunks import FileSet
from ..hdf5 import headers, safe
from . import snapshots
from .units import STATED, Statement, UnitSystem, read_units, stated

FOLDERS = r"groups_\d+"
GROUP_NUMBERS = ("SubhaloGroupNr", "SubhaloGrNr")  # of all dialects
_TIMES = ("Time", "Redshift")
_NO_NAME = ("", ".", "..", "output", "out")  # output folders that name no run


class Dialect(NamedTuple):
    """The differences between the codes that write Subfind catalogues.

    Parameters
    ----------
    name, code : str
        Name of the reader, and of the simulation code.
    stems : str
        Regular expression for the part of the file names before the output's number.
    statement : Statement
        Where units and cosmology are stated.
    group_number : str
        Dataset of /Subhalo with the group's row.
    rank : str
        Dataset of /Subhalo with the rank in the group; "" if there is none.
    counts : tuple of str
        Names in the header for the number of subhalos, before ``_ThisFile`` and ``_Total``.
    stellar_mass : dict of str to str
        Dataset of /Subhalo for each definition, the default first.
    flag : str
        Dataset of /Subhalo that is 0 for objects that are not galaxies; "" if there is none.
    in_header : callable
        Returns whether the header of a file is that of the code, for files without rows.
    """

    name: str
    code: str
    stems: str
    statement: Statement
    group_number: str
    rank: str
    counts: tuple[str, ...]
    stellar_mass: dict[str, str]
    flag: str
    in_header: Callable[[h5py.File], bool]


class CatalogueSet(NamedTuple):
    """A set of catalogue files whose headers have been checked.

    ``groups`` and ``subhalos`` are the rows in each file, ``totals`` those of the whole output, and
    ``missing`` the missing chunks, as ranges.
    """

    files: FileSet
    units: UnitSystem
    box_size: float
    time: float
    redshift: float
    groups: list[int]
    subhalos: list[int]
    totals: tuple[int, int]
    declared_files: int
    missing: str
    name: str
    snapshot_base: str

    @property
    def rows(self) -> dict[str, list[int]]:
        """Rows in each file, by HDF5 group."""
        return {"Group": self.groups, "Subhalo": self.subhalos}


def has_attribute(file: h5py.File, name: str) -> bool:
    """Return whether the header has an attribute."""
    return headers.has(file, "Header", name)


def is_of(path: Path, dialect: Dialect) -> bool:
    """Return whether a file is of the dialect, by its rows or, if it has none, by its header."""
    try:
        with safe.open_hdf5(path) as file:
            header = dialect.in_header(file)
            try:
                names = [name for name in GROUP_NUMBERS if safe.exists(file, f"Subhalo/{name}")]
            except UnsafeInputError:  # reading refuses it with the reason
                return header
            return dialect.group_number in names or (header and not names)
    except MockgalError:
        return False


def subhalo_count(file: h5py.File, dialect: Dialect) -> str:
    """Return the name of the number of subhalos in this file's header; "" if it has none."""
    return next((name for name in dialect.counts if has_attribute(file, f"{name}_Total")), "")


def open_set(files: FileSet, options: ReadOptions, dialect: Dialect) -> CatalogueSet:
    """Read and check the headers of a set.

    Parameters
    ----------
    files : FileSet
    options : ReadOptions
    dialect : Dialect

    Raises
    ------
    IncompleteSetError, HeaderError, MissingDatasetError
        Files that are missing, surplus or of different runs, counts that do not add up, or missing
        units.
    """
    facts: list[tuple[float | None, ...]] = []
    parameters: list[tuple[float | None, ...]] = []
    groups: list[int] = []
    subhalos: list[int] = []
    for path in files.files:
        with safe.open_hdf5(path) as file:
            if not facts:
                declared = headers.count(file, "Header", "NumFiles")
                missing = chunks.check_numbers(
                    files, declared, allow_missing=options.allow_missing_chunks or files.is_single
                )
                units = read_units(file, options, dialect.statement)
                name = _name(headers.text(file, "Parameters", "OutputDir", ""), files)
                base = headers.text(file, "Parameters", "SnapshotFileBase", "snap")
            count = subhalo_count(file, dialect)
            if not count:
                raise MissingDatasetError(
                    f"{path}:/Header",
                    "no number of subhalos",
                    " or ".join(f"{name}_Total" for name in dialect.counts),
                    "give a catalogue with subhalos: run the group finder with SUBFIND",
                )
            keys = ("NumFiles", "Ngroups_Total", f"{count}_Total")
            facts.append(
                (
                    *(headers.number(file, "Header", key, None) for key in _TIMES),
                    headers.side(file, "Header", "BoxSize", None),
                    *(headers.count(file, "Header", key) for key in keys),
                )
            )
            parameters.append(stated(file, dialect.statement))
            groups.append(headers.count(file, "Header", "Ngroups_ThisFile"))
            subhalos.append(headers.count(file, "Header", f"{count}_ThisFile"))
    chunks.check_same(files, facts, "/Header (Time, Redshift, BoxSize, NumFiles, totals)")
    place = dialect.statement.groups[0]
    chunks.check_same(files, parameters, f"/{place} ({', '.join(STATED)})")
    totals = int(facts[0][4] or 0), int(facts[0][5] or 0)
    if (sum(groups), sum(subhalos)) == totals:
        missing = ""  # all files were merged into one, or only empty files are missing
    elif missing and not options.allow_missing_chunks:
        chunks.check_numbers(files, declared, allow_missing=False)
    whole = not missing
    chunks.check_total(files, groups, totals[0], "/Header@Ngroups_Total", complete=whole)
    chunks.check_total(files, subhalos, totals[1], f"/Header@{count}_Total", complete=whole)
    time, redshift, box, taken = _of_run(files, facts[0][:3], units, options)
    units.record["given_by_user"] += taken
    return CatalogueSet(
        files,
        units,
        box,
        time,
        redshift,
        groups,
        subhalos,
        totals,
        declared,
        missing,
        name,
        base,
    )


def _of_run(
    files: FileSet,
    header: Sequence[float | None],
    units: UnitSystem,
    options: ReadOptions,
) -> tuple[float, float, float, list[str]]:
    """Return scale factor, redshift, side of the box [Mpc/h], and which of them the user gave.

    Raises
    ------
    MissingDatasetError
        Some are stated neither in the header nor by the user.
    HeaderError
        They contradict each other, or are impossible.
    """
    time, redshift, box = header
    where = f"{files.files[0]}:/Header"
    if time is not None:
        if redshift is None and time > 0:
            redshift = 1.0 / time - 1.0
        snapshots.check_header_time(files.files[0], time, np.nan if redshift is None else redshift)
    if box is not None:
        box = physics.box_size(f"{where}@BoxSize", box, units.length)
    facts, taken = given.complete(
        where,
        {"box_size": box, "redshift": redshift},
        options,
        expected="the attributes BoxSize, Time and Redshift",
        otherwise="write them there, in the units of the run",
    )
    redshift = facts["redshift"]
    return 1.0 / (1.0 + redshift) if time is None else time, redshift, facts["box_size"], taken


def _name(output_dir: object, files: FileSet) -> str:
    """Return the run's name: that of its output folder in the parameters, or of the folder here."""
    stated_name = PurePosixPath(str(output_dir)).name
    if stated_name in _NO_NAME:
        folder = files.folder.resolve()
        folder = folder.parent if folder.name.startswith("groups_") else folder
        stated_name = (folder.parent if folder.name in _NO_NAME else folder).name
    return printable(stated_name)
