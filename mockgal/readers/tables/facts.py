"""Facts of a table of halos in a small file beside it: ``halos.fits.yaml`` for ``halos.fits``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ...errors import MockgalError, UsageError, printable, shown
from ...protocols import ReadOptions
from ...quantity import stated_facts
from ...system.files import plain_text, plain_yaml
from ...system.files.plain_text import read_text
from ...types import MASS_DEFINITIONS
from .quantities import FLAG, Taken, parse_map

NUMBERS = ("redshift", "h", "omega_m", "omega_lambda", "w0", "wa")
QUANTITIES = {"box_size": "1000 Mpc/h", "particle_mass": "1e9 Msun/h"}
KEYS = ("columns", "name", "mass_definition", "centred_origin", *QUANTITIES, *NUMBERS)

_MOST = 100_000  # bytes
_DIALECT = plain_yaml.Dialect(depth=3, values=1000, text=20_000)
_FIX = "docs/how-to/tables.md has an example"


class Beside(NamedTuple):
    """What the file beside a table states.

    Parameters
    ----------
    path : Path or None
        None if there is no such file.
    columns : dict of str to Taken
    options : ReadOptions
        Those of the user, completed.
    name : str
        Of the simulation; "" if it is not stated.
    record : mapping
        That it was used, with its digest.
    """

    path: Path | None
    columns: dict[str, Taken]
    options: ReadOptions
    name: str = ""
    record: Mapping[str, Any] = MappingProxyType({})


def beside(path: Path | None, options: ReadOptions) -> Beside:
    """Return what the file beside a table states, and the user's options completed with it.

    Parameters
    ----------
    path : Path or None
        The table; None for an object.
    options : ReadOptions

    Raises
    ------
    UsageError
        The file is not plain YAML, or has unknown keys or impossible values, or the user's options
        contradict it.
    """
    mine = parse_map(options.columns)
    where = None if path is None else plain_text.beside(path, ".yaml")
    if where is None or not where.is_file():
        return Beside(None, mine, options)
    text, values = _load(where)
    its = parse_map(values.pop("columns", None), f"{where}:columns", str(where))
    name = values.pop("name", "")
    if not isinstance(name, str):
        raise UsageError(f"{where}:name", shown(name), "a text", _FIX)
    name = printable(name)
    stated = _checked(where, values, options)
    for key, value in stated.items():
        own = getattr(options, key)
        if own not in (None, False) and own != value:
            raise UsageError(
                "--" + key.replace("_", "-"), f"{own}", f"{value}, as {where} says", "leave it out"
            )
    for quantity, taken in mine.items():
        if quantity in its and its[quantity]._replace(by=taken.by) != taken:
            raise UsageError(
                f"{FLAG}:{quantity}",
                taken.entry(quantity),
                f"{its[quantity].entry(quantity)}, as {where} says",
                "leave it out",
            )
    digest = hashlib.sha256(text.encode()).hexdigest()
    record = {"path": str(where), "sha256": digest, "states": sorted([*stated, *its])}
    return Beside(where, {**its, **mine}, options._replace(**stated), name, {"facts_file": record})


def _load(path: Path) -> tuple[str, dict[str, Any]]:
    expected = f"facts of the table beside it, in plain YAML of at most {_MOST:,} bytes"
    try:
        text = read_text(path, _MOST, expected, fix=_FIX)
        values = plain_yaml.load(text, _DIALECT)
    except plain_yaml.PlainYAMLError as error:
        raise UsageError(
            f"{path}, line {error.line}", error.found, error.expected, error.fix
        ) from error
    except MockgalError as error:
        raise UsageError(error.where, error.found, error.expected, error.fix) from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise UsageError(path, shown(values), "lines `key: value`", _FIX)
    for key in values:
        if key not in KEYS:
            raise UsageError(f"{path}:{key}", "an unknown key", "one of " + ", ".join(KEYS), _FIX)
    return text, values


def _checked(path: Path, values: dict[str, Any], options: ReadOptions) -> dict[str, Any]:
    """Return the facts as options of a reader, in internal units."""

    def refuse(key: str, expected: str) -> UsageError:
        return UsageError(f"{path}:{key}", shown(values[key]), expected, _FIX)

    for key, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if key in NUMBERS and not is_number:
            raise refuse(key, "a number")
        if key in QUANTITIES and not isinstance(value, str):
            raise refuse(key, f'a number with its unit, such as "{QUANTITIES[key]}"')
        if key == "mass_definition" and value not in list(MASS_DEFINITIONS):
            raise refuse(key, "one of " + ", ".join(MASS_DEFINITIONS))
        if key == "centred_origin" and not isinstance(value, bool):
            raise refuse(key, "true or false")
    stated = stated_facts({"h": options.h, **values})
    return {key: stated[key] for key in values}
