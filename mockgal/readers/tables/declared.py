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

from ...errors import FormatError, MockgalError
from ...protocols import ReadOptions
from ...system import scalars
from ...types import Scene
from .facts import beside
from .formats import files
from .plan import FACTS, make_plan
from .quantities import QUANTITIES, Taken, parse_map
from .reader import Facts, name_of, scene_of
from .table import Table


class Declared(ABC):
    """A reader of one format; see `mockgal.protocols.Reader`.

    Attributes
    ----------
    name : str
    columns : mapping of str to str
        Columns by quantity, as in ``--columns``: ``"x y z [kpc/h]"``.
    host_masses : mapping of str to str
        Columns of the host mass by definition, the default first.
    mass_unit : str
        Unit of these masses; "" if the file states it.
    radii : mapping of str to str
        Radii by definition, with their unit: ``{"200c": "R200c [kpc/h]"}``.
    """

    name: ClassVar[str]
    columns: ClassVar[Mapping[str, str]]
    host_masses: ClassVar[Mapping[str, str]]
    mass_unit: ClassVar[str] = ""
    radii: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def recognises(self, table: Table) -> bool:
        """Return whether a table is of this format, by its columns, keywords or comments."""

    @abstractmethod
    def facts(self, table: Table) -> Facts:
        """Return what the file states of its run; the user must state the rest."""

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` holds this format; never raise for other formats."""
        return self._find(path) is not None

    def _find(self, path: Path) -> Table | None:
        try:
            found = files.tables(path) if path.is_file() else []
            return next((table for table in found if self.recognises(table)), None)
        except (MockgalError, OSError):
            return None

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene in a file of this format.

        Raises
        ------
        MockgalError
            See `mockgal.readers.tables.reader.TableReader.read`.
        """
        table = next((one for one in files.tables(path) if self.recognises(one)), None)
        if table is None:
            raise FormatError(
                path,
                f"no table of the format {self.name}",
                ", ".join(self.columns.values()),
                "leave --format out, or give another file",
            )
        also = beside(path, options)
        facts = self.facts(table)
        stated = {**self._declared(table, also.options), **also.columns}
        asked = [name for name in FACTS if _stated(facts, name) is None]
        plan = make_plan(table, stated, also.options, defaults=self._masses(table), asked=asked)
        inputs = [*table.files, *([] if also.path is None else [also.path])]
        return scene_of(
            table,
            plan,
            facts._replace(
                name=also.name or facts.name or name_of(path),
                record={**facts.record, **also.record},
            ),
            also.options,
            self.name,
            inputs,
        )

    def _masses(self, table: Table) -> dict[str, str]:
        return {key: name for key, name in self.host_masses.items() if name in table.fields}

    def _declared(self, table: Table, options: ReadOptions) -> dict[str, Taken]:
        """Return the declared columns that are there; those that are not optional must be."""
        stated = parse_map(dict(self.columns), self.name, f"the format {self.name}")
        masses = self._masses(table)
        definition = options.mass_definition or next(iter(masses), "")
        if definition in masses:
            unit = f" [{self.mass_unit}]" * bool(self.mass_unit)
            own = {"host_mass": f"{masses[definition]}{unit}"}
            if definition in self.radii:
                own["radius"] = self.radii[definition]
            stated |= parse_map(own, self.name, f"the format {self.name}")
        return {
            quantity: taken
            for quantity, taken in stated.items()
            if set(taken.names) <= set(table.fields) or not QUANTITIES[quantity].optional
        }


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
