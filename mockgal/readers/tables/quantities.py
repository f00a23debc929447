"""The quantities that a table of halos may hold, and the map from its columns to them.

A map is written as in ``--columns``::

    map   = entry {"," entry}
    entry = quantity "=" name [name name] ["[" unit "]"]

A name with blanks, commas or brackets stands between quotes. A vector has three names, or that of
one column with three values in each row. ``velocity=0`` says that the run kept no velocities. In
the brackets of ``host_id`` stands the number that hosts have in that column, beside -1 and their
own id.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ...bounds import RADIUS
from ...columns import HALO_COLUMNS, Column
from ...errors import UsageError, shown

FLAG = "--columns"
_CHECK = {
    "radius": "comoving radius of the host mass, against which units are checked",
    "scale_radius": "comoving scale radius of the host, which gives its concentration",
}
QUANTITIES: dict[str, Column] = {
    **HALO_COLUMNS,
    **{
        name: Column(name, "Mpc", -1, 1, "<f8", (), meaning, bounds=RADIUS, optional=True)
        for name, meaning in _CHECK.items()
    },
}
INTEGERS = ("halo_id", "host_id", "n_particles")
VECTORS = ("position", "velocity")
NO_VELOCITY = "0"  # in place of the columns of the velocity
LONGEST = 20_000  # characters of a map
EXAMPLE = (
    "halo_id=id, host_id=pid, position=x y z [Mpc/h], velocity=vx vy vz [km/s], "
    "host_mass=m200m [Msun/h]"
)

_NAME = r"""(?:"[^"]+"|'[^']+'|[^\s,=\[\]"']+)"""
_ENTRY = re.compile(rf"\s*(\w+)\s*=\s*({_NAME}(?:\s+{_NAME})*)\s*(?:\[([^\]]*)\])?\s*(?:,|$)")
_PLAIN = re.compile(r"""[^\s,=\[\]"']+""")
_WHOLE = re.compile(r"-?[0-9]{1,18}")


class Taken(NamedTuple):
    """The columns that hold a quantity.

    Parameters
    ----------
    names : tuple of str
        One name, or three for the components of a vector; none for velocities that are all 0.
    unit : str
        Unit as the map states it; "" leaves it to the file.
    host : int or None
        Number that hosts have in the column ``host_id``, beside -1 and their own id.
    by : str
        Where the map comes from: ``--columns``, a file, a format; "" for the names themselves.
    """

    names: tuple[str, ...]
    unit: str = ""
    host: int | None = None
    by: str = ""

    def entry(self, quantity: str, unit: str = "") -> str:
        """Return the entry of a map that says this, with a unit if it states none."""
        names = " ".join(map(quoted, self.names)) or NO_VELOCITY
        unit = str(self.host) if self.host is not None else self.unit or unit
        return f"{quantity}={names}" + f" [{unit}]" * bool(unit)


def quoted(name: str) -> str:
    """Return a name as a map has it."""
    if _PLAIN.fullmatch(name):
        return name
    return f"'{name}'" if '"' in name else f'"{name}"'


def parse_map(stated: object, where: str = FLAG, by: str = FLAG) -> dict[str, Taken]:
    """Return the columns of each quantity that a map names.

    Parameters
    ----------
    stated : str, mapping or None
        A map; or the part of each entry after the "=", or a list of names, by quantity.
    where : str
        Where it is stated, for messages.
    by : str
        See `Taken`.

    Raises
    ------
    UsageError
        It is no map, or has an unknown quantity, one that is there twice, or a wrong number of
        names.
    """
    text = map_text(stated, where)
    if len(text) > LONGEST:
        raise UsageError(where, f"{len(text):,} characters", f"at most {LONGEST:,}", "write fewer")
    found: dict[str, Taken] = {}
    place = 0
    while text[place:].strip():
        match = _ENTRY.match(text, place)
        if match is None:
            raise UsageError(
                where,
                shown(text[place:].strip()),
                "entries QUANTITY=COLUMN, or QUANTITY=X Y Z [UNIT], between commas",
                f'write it like "{EXAMPLE}"',
            )
        quantity, place = match[1], match.end()
        if quantity in found:
            raise UsageError(where, f"{quantity} more than once", "each once", "leave one out")
        names = tuple(name.strip("\"'") for name in re.findall(_NAME, match[2]))
        found[quantity] = _taken(where, quantity, names, (match[3] or "").strip(), by)
    return found


def map_text(stated: object, where: str = FLAG) -> str:
    """Return a map as a text; see `parse_map`."""
    if stated is None:
        return ""
    if isinstance(stated, str):
        return stated
    parts = []
    for quantity, value in stated.items() if isinstance(stated, Mapping) else [("", None)]:
        if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
            value = " ".join(map(quoted, value))
        if not (isinstance(value, str) and isinstance(quantity, str)):
            raise UsageError(
                where,
                shown(stated if value is None else value),
                "a text, or the names of columns by quantity",
                f'write it like "{EXAMPLE}"',
            )
        parts.append(f"{quantity}={value}")
    return ", ".join(parts)


def _taken(where: str, quantity: str, names: tuple[str, ...], unit: str, by: str) -> Taken:
    if quantity not in QUANTITIES:
        close = difflib.get_close_matches(quantity, QUANTITIES, 1)
        raise UsageError(
            where,
            f"the quantity {shown(quantity)}",
            "one of " + ", ".join(QUANTITIES),
            f"did you mean {close[0]}?" if close else "leave it out",
        )
    if quantity == "velocity" and names == (NO_VELOCITY,):
        return Taken((), by=by)
    allowed = (1, 3) if quantity in VECTORS else (1,)
    if len(names) not in allowed:
        raise UsageError(
            where,
            f"{len(names)} columns for {quantity}",
            " or ".join(map(str, allowed)),
            "put a name that has blanks between quotes",
        )
    host = None
    if quantity == "host_id" and unit:
        if not _WHOLE.fullmatch(unit):
            raise UsageError(
                where,
                f"[{unit}] after host_id",
                "the number that hosts have in this column, such as [0]",
                "leave it out if hosts have -1 or their own id",
            )
        host, unit = int(unit), ""
    return Taken(names, unit, host, by)


def as_text(entries: Iterable[str], flag: str = FLAG) -> str:
    """Return the option that states a map."""
    inner = ", ".join(entries)
    return f"{flag} '{inner}'" if '"' in inner else f'{flag} "{inner}"'


def describe(quantity: str, taken: Taken, unit: str, unit_from: str) -> dict[str, Any]:
    """Return the record of how a quantity was read: plain JSON values."""
    record: dict[str, Any] = {"from": list(taken.names), "found_by": taken.by or "name"}
    if unit:
        record |= {"unit": unit, "unit_from": unit_from}
    if taken.host is not None:
        record["hosts_have"] = taken.host
    return record
