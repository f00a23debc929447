"""The reader of tables: any file of columns, with a map of its names where they do not tell."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ...errors import FormatError, MockgalError, UsageError, listed, printable
from ...layout import COLUMNS_READ
from ...protocols import ReadOptions
from ...types import Array, Scene
from .. import given
from ..about import About
from ..checks import physics
from ..scene import COSMOLOGY, make_scene
from ..stated_cosmology import make_cosmology
from .facts import beside
from .formats import files, objects
from .halos import read_rows
from .plan import Plan, make_plan
from .quantities import FLAG, Taken, describe
from .table import Table

_EXTENSIONS = re.compile(r"(\.[A-Za-z]\w*)+(\.\d+)?$")


class Facts(NamedTuple):
    """What a table states of its run, beside its rows.

    Parameters
    ----------
    name : str
        Of the simulation.
    box_size, redshift, particle_mass : float or None
        [comoving Mpc/h], [Msun/h]; None where the user must state them (a particle mass may).
    cosmology : mapping of str to float or None
        See `mockgal.readers.scene.make_scene`.
    record : mapping
        What else is to be recorded: plain JSON values.
    """

    name: str
    box_size: float | None = None
    redshift: float | None = None
    particle_mass: float | None = None
    cosmology: Mapping[str, float | None] = MappingProxyType({})
    record: Mapping[str, Any] = MappingProxyType({})


class TableReader:
    """Tables of halos in CSV, FITS, ECSV, VOTable, Parquet, HDF5, npz, with --columns."""

    name = "table"
    about = About(
        "[any table of halos](../how-to/tables.md): text, FITS, VOTable, Parquet, HDF5, NumPy",
        "hosts and subhalos",
        "stated in the file, or with `--columns`",
        asked="what the file does not say",
        tested_on="made files of each format",
        library="Parquet: `pip install 'mockgal[formats]'`",
    )

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` is a file with a table of several columns of numbers."""
        try:
            return path.is_file() and any(map(_is_table, files.tables(path)))
        except (MockgalError, OSError):
            return False

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene in a table.

        Parameters
        ----------
        path : Path
        options : ReadOptions
            ``columns`` maps quantities to columns whose names do not say what they hold.

        Returns
        -------
        Scene

        Raises
        ------
        MockgalError
            Exit code 3 for a file that is damaged, contradictory or unphysical, or that does not
            say what a column holds, in which unit, or a fact of the run; 4 for an unsafe one; 2 for
            options that cannot be met; 6 for a table too large for memory.
        """
        found = files.tables(path)
        if not found:
            raise FormatError(
                path,
                "no table",
                f"one of {', '.join(files.FORMATS)}",
                "give the columns of the halos in one of these formats",
            )
        return _scene(found, path, name_of(path), options)

    def read_object(self, thing: object, options: ReadOptions) -> Scene:
        """Return the scene in a table in memory; its arrays are copies.

        Raises
        ------
        MockgalError
            See `read`.
        """
        table = objects.table_of(thing)
        return _scene([table], None, table.place, options)


def _is_table(table: Table) -> bool:
    columns = sum(field.width for field in table.fields.values() if field.kind != "O")
    return columns >= files.LEAST_COLUMNS


def name_of(path: Path) -> str:
    """Return the name of the snapshot: folder and name of the file, without its extensions.

    An extension begins with a letter, as redshifts and scale factors in names do not, and may have
    the number of one of several files after it.
    """
    path = Path(os.path.abspath(path))
    name = path.name if path.is_dir() else _EXTENSIONS.sub("", path.name)
    return printable(f"{path.parent.name}/{name}".lstrip("/"))


def _scene(found: Sequence[Table], path: Path | None, name: str, options: ReadOptions) -> Scene:
    also = beside(path, options)
    table = _the_table(found, also.columns, also.options)
    plan = make_plan(table, also.columns, also.options)
    facts = Facts(also.name or name, record=also.record)
    inputs = [*table.files, *([] if also.path is None else [also.path])]
    return scene_of(table, plan, facts, also.options, TableReader.name, inputs)


def _the_table(found: Sequence[Table], stated: Mapping[str, Taken], options: ReadOptions) -> Table:
    """Return the table to read: the only one that has what is needed.

    Raises
    ------
    UsageError
        Several have it.
    FormatError
        Of several tables none has it.
    """
    if len(found) == 1:
        return found[0]
    fit, lacking = [], ""
    for table in found:
        try:
            make_plan(table, stated, options)
        except MockgalError as error:
            lacking = lacking or f"{table.name} has {error.found}"
            continue
        fit.append(table)
    if len(fit) == 1:
        return fit[0]
    tables = fit or [t for t in found if _is_table(t)] or list(found)
    if not fit and len(tables) == 1:
        return tables[0]
    where = found[0].files[0] if found[0].files else found[0].place
    names = listed(f"{table.name or '(without a name)'}" for table in tables)
    which = f'say which: {FLAG} "position={tables[0].name or "TABLE"}/NAME ..."'
    if fit:
        raise UsageError(where, f"several tables, {names}", "one table of halos", which)
    raise FormatError(
        where,
        f"several tables, {names}, none with all that halos need: {lacking}",
        "one table of halos",
        f"{which}; or if this is the output of a halo finder, it is damaged: copy it again",
    )


def scene_of(
    table: Table,
    plan: Plan,
    facts: Facts,
    options: ReadOptions,
    format: str,
    inputs: Sequence[Path],
) -> Scene:
    """Return the scene of a table, read as a plan says.

    Parameters
    ----------
    table : Table
    plan : Plan
    facts : Facts
    options : ReadOptions
    format : str
        Name of the reader.
    inputs : sequence of Path
        Files to record; none for an object.

    Raises
    ------
    MockgalError
    """
    cosmology = {**dict.fromkeys(COSMOLOGY), **facts.cosmology}
    stated, _ = given.complete(
        table.place,
        {
            "box_size": facts.box_size,
            "redshift": facts.redshift,
            **{name: cosmology[name] for name in COSMOLOGY},
        },
        options,
        expected="box [Mpc/h], redshift and cosmology of the run",
    )
    h, redshift = stated["h"], stated["redshift"]
    known = make_cosmology(
        table.place, {}, {**cosmology, **{n: stated[n] for n in COSMOLOGY}}, options
    )
    rows = read_rows(table, plan, h, redshift, options.chunk_rows)
    record = {
        **_of_stars(plan, rows.columns, options),
        COLUMNS_READ: _columns_read(plan),
        **rows.record,
        **facts.record,
    }
    if plan.left_out:
        record["columns_left_out"] = plan.left_out
    radius = rows.columns.pop("radius", None)
    central = rows.columns["is_central"]
    if radius is None or plan.definition == "fof":
        physics.without_radii(table.place, record, "column of radii of the host mass")
    else:
        record["density_over_definition"] = physics.check_overdensity(
            rows.columns["host_mass"][central],
            radius[central],
            known,
            redshift,
            rows.where("radius", 0).split(", row")[0],
            plan.definition,
            drop_bad=options.drop_bad,
            record=record,
        )
    return make_scene(
        rows.columns,
        inputs,
        options,
        format=format,
        simulation=facts.name,
        mass_definition=plan.definition,
        box_size=facts.box_size,
        redshift=facts.redshift,
        cosmology=cosmology,
        particle_mass=facts.particle_mass,
        record=record,
        place=table.place,
        where=rows.where,
        counted=rows.counted,
        stored=rows.stored,
    )


def _columns_read(plan: Plan) -> dict[str, dict[str, Any]]:
    return {
        quantity: describe(quantity, column.taken, column.unit, column.unit_from)
        for quantity, column in plan.columns.items()
        if quantity not in plan.left_out
    }


def _of_stars(plan: Plan, columns: dict[str, Array], options: ReadOptions) -> dict[str, Any]:
    """Return the record of which stars are counted; take the columns of a run without stars away.

    Finders that know stars write zeros for runs of dark matter alone.
    """
    if "stellar_mass" not in columns:
        return {}
    if len(columns["stellar_mass"]) and not columns["stellar_mass"].any():
        for name in ("stellar_mass", "stellar_half_mass_radius"):
            if columns.pop(name, None) is not None:
                plan.left_out[name] = "no stars: the stellar mass is 0 in all rows"
        return {}
    if not plan.stars:
        return {}
    return {
        "stellar_mass_definition": plan.stars,
        "stellar_mass_dataset": plan.columns["stellar_mass"].taken.names[0],
        "stellar_mass_definition_chosen_by": (
            "user" if options.stellar_mass_definition else "default"
        ),
    }
