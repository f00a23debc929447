"""The base of readers of formats that are tables with fixed names.

A module of `known/` declares what its format has; the rest is that of all tables::

    class Finder(Declared):
        "Halos of Finder."

        name = "finder"
        columns: ClassVar = {
            "halo_id": "ID",
            "host_id": "hostHalo [0]",      # 0 for hosts
            "position": "Xc Yc Zc [kpc/h]",
            "velocity": "VXc VYc VZc [km/s]",
            "vmax": "Vmax [km/s]",          # optional quantities: read where they are there
        }
        host_masses: ClassVar = {"200c": "M200c", "vir": "Mvir"}  # the first is the default
        mass_unit = "Msun/h"

        def recognises(self, table: Table) -> bool:
            return "Finder" in table.comments[0]

        def facts(self, table: Table) -> Facts:
            return Facts(name="", redshift=number(table, "redshift"))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from ...errors import FormatError, MissingDatasetError, MockgalError
from ...protocols import ReadOptions
from ...system import scalars
from ...types import Scene
from ..about import About
from ..hdf5 import safe
from .facts import beside
from .formats import files, hdf5
from .plan import FACTS, make_plan
from .quantities import FLAG, QUANTITIES, VECTORS, Taken, parse_map
from .reader import Facts, name_of, scene_of
from .table import Table


class Declared(ABC):
    """A reader of one format; see `mockgal.protocols.Reader`.

    Attributes
    ----------
    name : str
    about : About
    columns : mapping of str to str or tuple of str
        Columns by quantity, as in ``--columns``: ``"x y z [kpc/h]"``. Of several, the first that
        is there counts.
    host_masses : mapping of str to str
        Columns of the host mass by definition, the default first. A format whose mass has no
        fixed definition has ``host_mass`` among its ``columns``; the user must state it.
    mass_unit : str
        Unit of these masses; "" if the file states it.
    radii, concentrations : mapping of str to str
        By definition, radii with their unit: ``{"200c": "R200c [kpc/h]"}``.
    flag : str
        Column that is not 0 for halos to leave out, which are counted.
    flag_means : str
        What they are, in the names of the counts: ``phantoms_dropped``, ``satellites_of_phantoms``.
    may_lack_mass : bool
        Whether the format marks hosts whose mass was not measured by 0, a negative number or NaN.
        They are left out with their satellites, counted, and said on the screen.
    stars : str
        Definition of the ``stellar_mass`` among the columns: a key of
        `mockgal.types.STELLAR_MASS_DEFINITIONS`.
    """

    name: ClassVar[str]
    about: ClassVar[About]
    columns: ClassVar[Mapping[str, str | tuple[str, ...]]]
    host_masses: ClassVar[Mapping[str, str]] = {}
    mass_unit: ClassVar[str] = ""
    radii: ClassVar[Mapping[str, str]] = {}
    concentrations: ClassVar[Mapping[str, str]] = {}
    flag: ClassVar[str] = ""
    flag_means: ClassVar[str] = "phantoms"
    may_lack_mass: ClassVar[bool] = False
    stars: ClassVar[str] = ""

    def recognises(self, table: Table) -> bool:
        """Return whether a table is of this format, by its columns, keywords or comments.

        A format that is known otherwise has `is_mine` and `table` of its own.
        """
        raise NotImplementedError

    @abstractmethod
    def facts(self, table: Table) -> Facts:
        """Return what the file states of its run; the user must state the rest."""

    def check(self, table: Table, stated: Mapping[str, Taken]) -> None:
        """Raise if a table of this format lacks what all such tables should have.

        Parameters
        ----------
        table : Table
        stated : mapping of str to Taken
            Its columns by quantity, and those that the user names.
        """
        del table, stated  # most formats have nothing of the kind

    def is_mine(self, path: Path) -> bool:
        """Return whether ``path`` holds this format; may raise as `table` does."""
        return path.is_file() and any(map(self.recognises, files.tables(path)))

    def table(self, path: Path) -> Table:
        """Return the table at a path that holds this format.

        Raises
        ------
        MockgalError
            It is damaged or unsafe.
        """
        return next(one for one in files.tables(path) if self.recognises(one))

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` holds this format; never raise for other formats."""
        try:
            return self.is_mine(path)
        except (MockgalError, OSError):
            return False

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene at a path that holds this format.

        Raises
        ------
        MockgalError
            See `mockgal.readers.tables.reader.TableReader.read`.
        """
        if not self.is_mine(path):
            raise FormatError(
                path,
                f"no table of the format {self.name}",
                ", ".join(names for names, *_ in map(_several, self.columns.values())),
                "leave --format out, or give another file",
            )
        table = self.table(path)
        also = beside(path, options)
        facts = self.facts(table)
        stated = {**self._declared(table, also.options), **also.columns}
        self._check_there(table, stated)
        self.check(table, stated)
        asked = [name for name in FACTS if _stated(facts, name) is None]
        plan = make_plan(table, stated, also.options, defaults=self._masses(table), asked=asked)
        inputs = [*table.files, *([] if also.path is None else [also.path])]
        stellar = plan.columns.get("stellar_mass")
        return scene_of(
            table,
            plan._replace(
                stars=self.stars if stellar is not None and stellar.taken.by == self._by else "",
                flag=self.flag if self.flag in table.fields else "",
                flag_means=self.flag_means,
                may_lack_mass=self.may_lack_mass,
            ),
            facts._replace(
                name=also.name or facts.name or name_of(path),
                record={**facts.record, **also.record},
            ),
            also.options,
            self.name,
            inputs,
        )

    def _check_there(self, table: Table, stated: Mapping[str, Taken]) -> None:
        """Raise if a column that the format always has is not there.

        Raises
        ------
        MissingDatasetError
        """
        for quantity, taken in stated.items():
            lacking = [name for name in taken.names if name not in table.fields]
            if lacking and taken.by == self._by:
                other = "NAME NAME NAME" if quantity in VECTORS else "NAME"
                raise MissingDatasetError(
                    table.place,
                    f"no {', '.join(lacking)}; present: {table.listed()}",
                    f"{quantity}, which {self._by} has",
                    f'fetch the file again; or name other columns: {FLAG} "{quantity}={other}"',
                )

    def _masses(self, table: Table) -> dict[str, str]:
        return {key: name for key, name in self.host_masses.items() if name in table.fields}

    def _declared(self, table: Table, options: ReadOptions) -> dict[str, Taken]:
        """Return the declared columns that are there; those that are not optional must be."""
        found: dict[str, Taken] = {}
        for quantity, texts in self.columns.items():
            ways = [self._parsed({quantity: text})[quantity] for text in _several(texts)]
            there = (taken for taken in ways if set(taken.names) <= set(table.fields))
            taken = next(there, None)
            if taken is not None or not QUANTITIES[quantity].optional:
                found[quantity] = taken or ways[0]
        masses = self._masses(table)
        definition = options.mass_definition or next(iter(masses), "")
        unit = f" [{self.mass_unit}]" * bool(self.mass_unit)
        own = {"host_mass": f"{masses[definition]}{unit}"} if definition in masses else {}
        for quantity, by_definition in (
            ("radius", self.radii),
            ("concentration", self.concentrations),
        ):
            if definition in masses and definition in by_definition:
                taken = self._parsed({quantity: by_definition[definition]})[quantity]
                if set(taken.names) <= set(table.fields):
                    found[quantity] = taken
        return found | self._parsed(own)

    def _parsed(self, texts: Mapping[str, str]) -> dict[str, Taken]:
        return parse_map(dict(texts), self.name, self._by)

    @property
    def _by(self) -> str:
        return f"the format {self.name}"


class DeclaredHDF5(Declared):
    """A format in HDF5, which is known by what the file holds."""

    @abstractmethod
    def is_in(self, file: safe.File) -> bool:
        """Return whether a file is of this format."""

    def is_mine(self, path: Path) -> bool:
        """Return whether ``path`` is a file of this format."""
        if not path.is_file():
            return False
        with open(path, "rb") as begin:
            if begin.read(len(hdf5.MAGIC)) != hdf5.MAGIC:
                return False
        with safe.open_hdf5(path) as file:
            return self.is_in(file)


def _several(texts: str | tuple[str, ...]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else texts


def _stated(facts: Facts, name: str) -> float | None:
    return facts.cosmology.get(name) if name in facts.cosmology else getattr(facts, name, None)


def number(table: Table, name: str, *, above: float = 0.0) -> float | None:
    """Return a number that a table states under a name; None if it states none.

    Raises
    ------
    HeaderError
        It is no number above ``above``.
    """
    value = table.stated(name)
    return None if value is None else scalars.number(f"{table.place}@{name}", value, above=above)
