"""Fits read back from the ``samples.ecsv`` that `Fit.save` and `mockgal fit` write."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorruptFileError
from ..system.files.ecsv import read_ecsv
from .priors import Prior
from .result import DERIVED, FORMAT, Fit, Fitted

_HEAD = 1 << 16  # bytes in which the header states the format
_AGAIN = "fit again with this version of mockgal"


def is_fit(path: Path) -> bool:
    """Return whether a file begins like one that `Fit.save` wrote; never raise."""
    try:
        with open(path, "rb") as file:
            begin = file.read(_HEAD) if path.is_file() else b""
    except OSError:
        return False
    stated = rf"format: {FORMAT.rpartition(' ')[0]} "  # "..., data" is the other table of a fit
    line = begin.decode("utf-8", "replace").partition(stated)[2].partition("}")[0]
    return begin.startswith(b"# %ECSV") and line.isdigit()


def read(path: Path) -> Fit:
    """Return the fit stored in a file.

    Raises
    ------
    InputError
        (or a subclass) The file cannot be read, is damaged, or is something else.
    """
    fix = "give the samples.ecsv in the folder of `mockgal fit`"
    table = read_ecsv(path, FORMAT, what="ECSV file of `mockgal fit`", fix=fix, again=_AGAIN)
    try:
        meta = table.meta
        columns = {name: np.asarray(one.values, np.float64) for name, one in table.columns.items()}
        log_density = columns.pop("log_density")
        priors = tuple(_prior(one) for one in meta["priors"])
        if set(columns) != {*(one.name for one in priors), *DERIVED}:
            raise ValueError("other samples than of the free parameters")
        if not len(log_density) or not all(np.isfinite(one).all() for one in columns.values()):
            raise ValueError("no samples, or some that are not finite")
        return Fit(
            str(meta["model"]),
            priors,
            columns,
            log_density,
            {str(name): float(value) for name, value in meta["best"].items()},
            float(meta["chi_square"]),
            int(meta["degrees_of_freedom"]),
            float(meta["p_value"]),
            tuple(_fitted(one) for one in meta["fitted"]),
            dict(meta["recipe"]),
            dict(meta["settings"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFileError(path, f"damaged values ({error})", FORMAT, _AGAIN) from error


def _prior(stated: dict[str, Any]) -> Prior:
    first, second, low, high = (float(stated[name]) for name in ("first", "second", "low", "high"))
    if not all(map(math.isfinite, (first, second, low, high))):
        raise ValueError("a prior without ends")
    name, kind, unit, source = (str(stated[name]) for name in ("name", "kind", "unit", "source"))
    return Prior(name, kind, first, second, low, high, unit, source)


def _fitted(stated: dict[str, Any]) -> Fitted:
    name, statistic, axis, unit = (str(stated[field]) for field in Fitted._fields[:4])
    numbers = [np.array([float(x) for x in stated[name]]) for name in Fitted._fields[4:]]
    if len({len(one) for one in numbers}) != 1:
        raise ValueError("numbers for some bins only")
    return Fitted(name, statistic, axis, unit, *numbers)
