"""Results read back from the ECSV files that `Measurement.save` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import CorruptFileError, MockgalError
from ..quantity import conversion
from ..system.files.ecsv import read_ecsv
from .result import DETECTABLE, FORMAT, LEFT_OUT, REALISATIONS, Field, Measurement, Style

_HEAD = 1 << 16  # bytes in which the header states the format
_AGAIN = "measure again with this version of mockgal"


def is_measurement(path: Path) -> bool:
    """Return whether a file begins like one that `Measurement.save` wrote; never raise."""
    try:
        with open(path, "rb") as file:
            begin = file.read(_HEAD) if path.is_file() else b""
    except OSError:
        return False
    return begin.startswith(b"# %ECSV") and FORMAT.rpartition(" ")[0].encode() in begin


def read(path: Path) -> Measurement:
    """Return the result stored in a file.

    Raises
    ------
    InputError
        (or a subclass) The file cannot be read, is damaged, or is something else.
    """
    table = read_ecsv(
        path, FORMAT, what="ECSV file of `mockgal measure`", fix="check the path", again=_AGAIN
    )
    columns: dict[str, Any] = {}
    fields: dict[str, Field] = {}
    of_each: dict[str, dict[str, Any]] = {LEFT_OUT: {}, REALISATIONS: {}}
    try:
        meta = table.meta
        labels, style = meta["labels"], meta["style"]
        for name, column in table.columns.items():
            if name.endswith(DETECTABLE):
                continue
            kind = next((suffix for suffix in of_each if name.endswith(suffix)), None)
            if kind is not None:
                of_each[kind][name.removesuffix(kind)] = column.values.T
                continue
            columns[name] = column.values
            unit = str(meta["units"][name])  # as it was written; astropy has its own order
            if unit:
                conversion(unit, unit)  # raises if it is not a unit, before astropy sees it
            fields[name] = Field(unit, column.description, str(labels[name]))
        return Measurement(
            str(meta["statistic"]),
            columns,
            fields,
            str(meta["axis"]),
            tuple(map(str, meta["estimates"])),
            str(meta["count"]),
            json.loads(json.dumps(dict(meta["settings"]), allow_nan=False)),  # as it was written
            float(meta["error_degrees_of_freedom"]),
            Style(
                bool(style["log_x"]),
                bool(style["log_y"]),
                tuple(map(str, style["marks"])),
                tuple(map(str, style["lines"])),
                tuple(map(str, style["labels"])),
                tuple(map(str, style["apart"])),
            ),
            of_each[LEFT_OUT],
            of_each[REALISATIONS],
        )
    except (KeyError, TypeError, ValueError, AttributeError, MockgalError) as error:
        raise CorruptFileError(path, f"damaged values ({error})", FORMAT, _AGAIN) from error
