"""The head of a halo list of Rockstar or consistent-trees: columns, box, cosmology and units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import FormatError, HeaderError, UnitsError, UsageError, in_shell, printable
from ...protocols import ReadOptions
from .. import given
from ..checks import expansion
from ..text.table import Head, read_head

OUT, HLIST = "out_N.list of Rockstar", "hlist of consistent-trees"
# Masses by definition, in the order of preference for the host mass where the user does not choose;
# "b" (background) is the mean matter density.
MASSES = {"200c": "m200c", "vir": "mvir", "200m": "m200b", "500c": "m500c"}
_DEFINITIONS = {name: definition for definition, name in MASSES.items()}

# Facts in comments like "Om = 0.3; Ol = 0.7; h = 0.7", and like "Box size: 250.0 Mpc/h".
_EQUATION = re.compile(r"\s*([a-z]\w*)\s*=\s*(\S+)\s*", re.I)
_QUANTITY = re.compile(r"\s*(?:full\s+)?(box size|particle mass)\s*[:=]\s*(\S+)\s*(.*)", re.I)
_FACTS = {
    "a": "a",
    "om": "omega_m",
    "omega_m": "omega_m",
    "ol": "omega_lambda",
    "omega_l": "omega_lambda",
    "h": "h",
    "h0": "h",
    "box size": "box_size",
    "particle mass": "particle_mass",
}
_QUANTITY_UNITS = {"box size": "Mpc/h", "particle mass": "Msun/h"}
_LINE = "#Om = 0.3; Ol = 0.7; h = 0.7"
_EXAMPLES = {  # comments that state facts
    "box_size": "#Box size: 250.0 Mpc/h",
    "redshift": "#a = 0.5",
    **dict.fromkeys(given.COSMOLOGY, _LINE),
}
# Beginnings of comments that state a unit, in lower case without blanks, and the unit. Descriptions
# of columns need not state one.
_UNITS = {
    "units:massesin": "Msun/h",
    "units:positionsin": "Mpc/h",
    "units:velocitiesin": "km/s",
    "units:radiiin": "kpc/h",
    "units:halodistances,lengths,andradiiin": "kpc/h",
}
_DESCRIPTIONS = {"mvir:": "Msun/h", "rvir:": "kpc/h", "x/y/z:": "Mpc/h", "vx/vy/vz:": "km/s"}


class HaloList(NamedTuple):
    """A halo list whose head has been read.

    Parameters
    ----------
    path : Path
    kind : str
        `OUT` or `HLIST`.
    head : Head
    names : tuple of str
        Names of the columns, in lower case.
    facts : dict of str to float
        Facts stated in comments, by the names in `_FACTS`.
    own : int
        Number of the column of the list's own mass.
    own_definition : str
        Definition of that mass, a key of `MASSES`.
    """

    path: Path
    kind: str
    head: Head
    names: tuple[str, ...]
    facts: dict[str, float]
    own: int
    own_definition: str

    def at(self, name: str) -> str:
        """Return ``FILE:NAME``, for messages."""
        return f"{self.path}:{name}"

    def host_masses(self) -> dict[str, int]:
        """Return the host mass column of each definition present, the default first."""
        return {
            definition: self.own if definition == self.own_definition else self.column(name)
            for definition, name in MASSES.items()
            if definition == self.own_definition
            or (name in self.names and name != self.names[self.own])
        }

    def host_mass(self, options: ReadOptions) -> tuple[str, int]:
        """Return the definition of the host mass, and the number of its column.

        Raises
        ------
        UsageError
            The user asks for one that the list does not have.
        """
        present = self.host_masses()
        definition = options.mass_definition or next(iter(present))
        if definition not in present:
            raise UsageError(
                "--mass-definition",
                repr(definition),
                f"one that {self.path} has: " + ", ".join(present),
                "choose one of these",
            )
        return definition, present[definition]

    def column(self, name: str) -> int:
        """Return the number of the column called ``name``, which must be present.

        Raises
        ------
        HeaderError
            Several columns have this name.
        """
        if self.names.count(name) > 1:
            raise HeaderError(
                f"{self.path}, line 1",
                f"{self.names.count(name)} columns called {name}",
                "one",
                "rename the others",
            )
        return self.names.index(name)

    def run(self, options: ReadOptions) -> tuple[dict[str, float], list[str]]:
        """Return box size, redshift and cosmology, and the names of those that the user stated.

        They have the names of `given.FACTS`. The redshift is left out if the rows state it.

        Raises
        ------
        MissingDatasetError
            Some are stated neither in a comment nor by the user.
        UsageError
            The user states impossible values.
        """
        stated: dict[str, float | None] = {"box_size": self.facts.get("box_size")}
        if not self.scale_in_rows:
            stated["redshift"] = self._stated_redshift()
        stated |= {name: self.facts.get(name) for name in given.COSMOLOGY}
        lacking = [name for name, value in stated.items() if value is None]
        lines = " and ".join(
            dict.fromkeys(line for name, line in _EXAMPLES.items() if name in lacking)
        )
        return given.complete(
            self.at("comments"),
            stated,
            options,
            expected=f"lines like {lines}",
            otherwise="add such lines after the first",
        )

    @property
    def statements(self) -> list[expansion.Statement]:
        """Further statements of comments about the expansion, in lines like ``w0 = -0.9``."""
        parts = (part for comment in self.head.comments[1:] for part in comment.split(";"))
        matches = filter(None, map(_EQUATION.fullmatch, parts))
        return [(self.at(f"#{match[1]}"), match[1], match[2]) for match in matches]

    @property
    def scale_in_rows(self) -> bool:
        """Whether the list has rows, and these state their scale factor."""
        return self.kind == HLIST and self.head.width > 0

    def _stated_redshift(self) -> float | None:
        """Return the redshift of a list whose rows do not state it."""
        scale = self.facts.get("a")
        match = re.match(r"hlist_(\d+\.\d+)\.list", self.path.name)
        if scale is None and self.kind == HLIST and match and float(match[1]) > 0:
            scale = float(match[1])
        return None if scale is None else 1.0 / scale - 1.0

    def redshift_of(self, scale: float) -> float:
        """Return the redshift of rows with this scale factor.

        Raises
        ------
        HeaderError
            It is not a positive number, or contradicts the comments.
        """
        stated = self.facts.get("a")
        if not 0 < scale < np.inf:
            raise HeaderError(
                self.at("scale"), f"{scale:g}", "a positive number", "fetch the list again"
            )
        if stated is not None and abs(stated / scale - 1) > 1e-4:
            raise HeaderError(
                self.at("#a"), f"{stated:g}", f"{scale:g}, as in the rows", "correct the comment"
            )
        return 1.0 / scale - 1.0


def kind_of(first: str) -> str:
    """Return the kind of list that begins with this line: `OUT`, `HLIST`, or "" for neither.

    Columns of an hlist may be numbered, ``scale(0) id(1)``, or not. A Rockstar list has a mass
    after the two ids, where UniverseMachine has the id of the host.
    """
    if re.match(r"#\s*scale(\(0\)\s+id\(1\)\s|\s+id\s+desc_)", first, re.I):
        return HLIST
    return OUT if re.match(r"#\s*id\s+descid\s+m", first, re.I) else ""


def open_list(path: Path) -> HaloList:
    """Read and check the head of a halo list.

    Parameters
    ----------
    path : Path
        A file whose first line `kind_of` recognises.

    Returns
    -------
    HaloList

    Raises
    ------
    FormatError
        Merger trees, or a mass of an unsupported definition.
    HeaderError
        Names that do not match the columns, impossible facts, or facts that contradict each other.
    UnitsError
        Units other than Rockstar's.
    """
    head = read_head(path)
    kind, words = kind_of("#" + head.comments[0]), head.comments[0].split()
    names = [word.lower() for word in words]
    if kind == HLIST and head.width == 1:
        raise FormatError(
            path,
            "merger trees of consistent-trees (tree_*.dat)",
            "the halos of one time",
            "give hlists/hlist_A.list, which its halo_trees_to_catalog.pl writes; or extract the "
            f"rows of one scale factor, here 1, with `{_rows_of_one_time(path)}`",
        )
    if kind == HLIST and "(" in words[0]:
        names = _unnumbered(path, words)
    if head.width and head.width != len(names):
        raise HeaderError(
            f"{path}, line 1",
            f"names of {len(names)} columns, but {head.width} values in the first row",
            "a name for each",
            "correct the first line: columns were added or removed without changing it",
        )
    # The own mass is the third column of Rockstar's lists; in consistent-trees it follows sam_mvir.
    own = 2
    if kind == HLIST:
        own = 1 + next((i for i, name in enumerate(names) if name.startswith("sam_m")), 9)
    definition = _own_definition(path, names, own)
    return HaloList(
        path, kind, head, tuple(names), facts_of(path, head.comments[1:]), own, definition
    )


def _rows_of_one_time(path: Path) -> str:
    """Return a command that extracts the halos at redshift 0, and the comments, from trees."""
    keep = "NR == FNR && /^#/ && !/^#tree/ || !/^#/ && NF > 1 && $1 == 1"
    return f"awk '{keep}' {in_shell(path)} > hlist_1.00000.list"


def _unnumbered(path: Path, words: Sequence[str]) -> list[str]:
    """Return the names in lower case, without their numbers.

    Raises
    ------
    HeaderError
        Numbers that do not match the columns.
    """
    names = []
    for place, word in enumerate(words):
        match = re.fullmatch(r"(.+)\((\d+)\)", word)
        if match is None or match[2] != str(place):
            raise HeaderError(
                f"{path}, line 1",
                f"column {place} called {printable(word[:80])!r}",
                f"NAME({place})",
                "correct the first line: columns were added or removed without changing it",
            )
        names.append(match[1].lower())
    return names


def _own_definition(path: Path, names: Sequence[str], own: int) -> str:
    """Return the definition of the list's own mass.

    consistent-trees may call it mvir whatever its definition. Rockstar's name for it survives in
    the name of the mass with unbound particles, such as M200b_all.
    """
    name = names[own] if own < len(names) else "nothing"
    others = [name.removesuffix("_all") for name in names if name.endswith("_all")]
    stated = [other for other in others if re.fullmatch(r"m(vir|\d+[bc])", other)]
    if name == "mvir" and len(stated) == 1:
        name = stated[0]
    if name not in _DEFINITIONS:
        raise FormatError(
            f"{path}, line 1",
            f"{printable(name[:80])} as the mass that the run was configured for, column {own}",
            "one of " + ", ".join(_DEFINITIONS),
            "run Rockstar with MASS_DEFINITION vir, 200b, 200c or 500c",
        )
    return _DEFINITIONS[name]


def facts_of(path: object, comments: Iterable[str]) -> dict[str, float]:
    """Return the box, the cosmology and other facts that comments state, by the names in `_FACTS`.

    Parameters
    ----------
    path : object
        Where they are, for messages.
    comments : iterable of str
        Without the first, which names the columns.

    Raises
    ------
    HeaderError
        Impossible facts, or facts that contradict each other.
    UnitsError
        Units other than Rockstar's.
    """
    facts: dict[str, float] = {}

    def add(name: str, word: str) -> None:
        key, where = _FACTS[name.lower()], f"{path}:#{name}"
        try:
            value = float(word)
        except ValueError:
            value = np.nan
        if not (np.isfinite(value) and (value > 0 or key == "omega_lambda")):
            raise HeaderError(where, repr(word[:80]), "a positive number", "correct the comment")
        if facts.setdefault(key, value) != value:
            raise HeaderError(
                where, f"{facts[key]:g} and {value:g}", "one value", "remove the wrong comment"
            )

    for comment in comments:
        _check_units(path, comment)
        for part in comment.split(";"):
            match = _EQUATION.fullmatch(part)
            if match and match[1].lower() in _FACTS:
                add(match[1], match[2])
        match = _QUANTITY.fullmatch(comment.rstrip())
        if match:
            unit = _QUANTITY_UNITS[match[1].lower()]
            if match[3].replace(" ", "").lower() != unit.lower():
                raise UnitsError(
                    f"{path}:#{match[1]}",
                    f"the unit {match[3][:80]!r}",
                    unit,
                    f"state it in {unit}, and write the list in Rockstar's units",
                )
            add(match[1], match[2])
    return facts


def _check_units(path: object, comment: str) -> None:
    """Raise if a comment states units other than Rockstar's."""
    plain = re.sub(r"\s", "", comment).lower()
    for begin, unit in {**_UNITS, **(_DESCRIPTIONS if "(" in plain else {})}.items():
        if plain.startswith(begin) and unit.lower() not in plain:
            raise UnitsError(
                f"{path}:#{comment.strip()[:80]}",
                "a unit that Rockstar does not write",
                unit,
                "write the list in comoving Mpc/h, Msun/h and km/s, with radii in comoving kpc/h",
            )
