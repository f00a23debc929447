"""Files of HOD calibration tables: the ECSV format, the shipped tables, and the choice of one."""

from __future__ import annotations

import io
import json
import os
from functools import cache
from pathlib import Path

import numpy as np

from ...errors import CorruptFileError, DomainError, MissingDatasetError, shown
from ...system.files.ecsv import read_ecsv
from ...types import Scene
from ..by_name import by_name
from ..validity.advice import mended, way_out
from .columns import COLUMNS, META, expected
from .options import EXTENSION
from .options import SHIPPED as SHIPPED
from .table import HODTable

FORMAT = "mockgal HOD calibration 3"  # 2 had no errors, and no satellites for hosts without any


def to_ecsv(table: HODTable) -> str:
    """Return the text of the table's file."""
    from astropy.table import Table

    out = Table({name: table.columns[name] for name in COLUMNS if name in table.columns})
    for name in out.colnames:
        unit, out[name].description = COLUMNS[name]
        out[name].unit = unit or None
    meta = {"format": FORMAT, "digest": table.digest} | {
        key: (
            [float(x) for x in table.residual_probability]
            if key == "residual_probability"
            else getattr(table, key)
        )
        for key in META
    }
    out.meta = json.loads(json.dumps(meta))  # else objects used twice would become YAML aliases
    text = io.StringIO()
    out.write(text, format="ascii.ecsv")
    return text.getvalue()


def read(path: Path) -> HODTable:
    """Read the table in an ECSV file.

    Raises
    ------
    InputError
        (or a subclass) The file cannot be read, lacks columns, or contradicts itself.
    """
    again = "make the table again with this version of mockgal"
    table = read_ecsv(
        path,
        FORMAT,
        what="HOD calibration table",
        fix="give the path of one, or a name that `mockgal calibrations` lists",
        again=again,
    )
    missing = [c for c in expected(table.columns) if c not in table.columns]
    missing += [key for key in (*META, "digest") if key not in table.meta]
    if missing:
        raise MissingDatasetError(
            path, f"no {', '.join(missing)}", "all columns and header entries", again
        )
    columns = {name: c.values for name, c in table.columns.items() if name in COLUMNS}
    try:
        for key, (kind, _) in META.items():
            if not isinstance(table.meta[key], (int, float) if kind in (int, float) else kind):
                raise TypeError(f"{key} is {shown(table.meta[key])}")
        calibration = HODTable(columns=columns, **{key: table.meta[key] for key in META})
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as error:
        raise CorruptFileError(path, f"damaged values ({error})", FORMAT, again) from error
    except CorruptFileError as error:  # of the table: name the file
        raise CorruptFileError(path, error.found, error.expected, error.fix) from error
    if calibration.digest != table.meta["digest"]:
        raise CorruptFileError(
            path, "content that does not match its digest", "the file as it was written", again
        )
    return calibration


@cache
def shipped() -> tuple[HODTable, ...]:
    """Return the calibrations that come with the package, sorted by name."""
    return tuple(read(path) for path in sorted(SHIPPED.glob(f"*{EXTENSION}")))


def named(calibration: str | os.PathLike[str]) -> HODTable:
    """Return the shipped table of that name, or read the one at a path.

    See `mockgal.painters.by_name`.

    Raises
    ------
    UsageError
        There is no such name.
    InputError
        There is no valid table at the path.
    """
    tables = {table.name: table for table in shipped()}
    chosen = by_name(
        calibration,
        tables,
        where="calibration",
        flag="--calibration",
        extension=EXTENSION,
        listed_by="mockgal calibrations",
    )
    return read(chosen) if isinstance(chosen, Path) else tables[chosen]


def comes_with_mockgal(table: HODTable) -> bool:
    """Return whether a table comes with the package, with identical numbers."""
    return table.digest in [own.digest for own in shipped()]


def matching(scene: Scene, *, twinless: bool = False) -> HODTable:
    """Return the shipped table whose domain holds a simulation, the nearest in redshift.

    Parameters
    ----------
    scene : Scene
    twinless : bool
        Choose among the tables made without a gravity-only twin, instead of the others.

    Raises
    ------
    DomainError
        There is none; the message gives the reasons, table by table.
    """
    reasons = {}
    for table in shipped():
        reasons[table.name] = table.mismatch(scene)
        if table.has_twin and twinless:
            reasons[table.name].append("made with a twin, which is not missing")
        if not table.has_twin and not twinless:
            reasons[table.name].append(
                "made without a gravity-only twin, and taken with --missing-twin only"
            )
    valid = [table for table in shipped() if not reasons[table.name]]
    if not valid:
        fix = (
            "give --calibration FILE, name one of these with --allow-extrapolation, or see with "
            "`mockgal inspect` what else paints it"
        )
        helped = {
            table.mass_definition
            for table in shipped()
            if table.has_twin != twinless
            and not table.mismatch(mended(scene, table.mass_definition, table.particle_mass))
        }
        if helped:
            fix = way_out(scene, helped, fix)
        raise DomainError(
            f"simulation {scene.snapshot.name}",
            "no HOD calibration valid for it: "
            + "; ".join(f"{name} ({', '.join(why)})" for name, why in reasons.items()),
            "a calibration whose domain holds the simulation",
            fix,
        )
    z = scene.snapshot.redshift
    return min(valid, key=lambda t: (abs(np.mean(t.domain["redshift"]) - z), t.name))
