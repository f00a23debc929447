"""What to read of a table: the columns of each quantity, their units, and the mass definition.

Everything that neither the table nor the user states is asked for at once, in one message whose
options work once the words in capitals are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...columns import HISTORY_COLUMNS
from ...errors import MissingDatasetError, UsageError, listed, warn
from ...protocols import ReadOptions
from ...quantity import UnitError
from .. import given
from . import units
from .names import Names, definition_of
from .quantities import FLAG, QUANTITIES, VECTORS, Taken, as_text, quoted
from .table import Field, Table

FACTS = ("box_size", "redshift", "h", "omega_m", "omega_lambda")
_OPTIONAL = ("host_id", "is_central", "vmax", "n_particles", *HISTORY_COLUMNS)
# Comoving unless the unit says otherwise: they are held against the box, and against masses.
_COMOVING = ("position", "radius", "scale_radius")
_DEFINITION = "DEFINITION"
_SUGGESTED = {"Mpc": "Mpc/h", "Msun": "Msun/h", "km/s": "km/s"}


class Column(NamedTuple):
    """A quantity of a plan.

    Parameters
    ----------
    taken : Taken
    conversion : Conversion or None
        None for quantities without a unit.
    unit, unit_from : str
        As stated, and where.
    """

    taken: Taken
    conversion: units.Conversion | None = None
    unit: str = ""
    unit_from: str = ""


class Plan(NamedTuple):
    """What to read of a table.

    Parameters
    ----------
    columns : dict of str to Column
        By quantity.
    definition : str
        Of the host mass.
    definitions : tuple of str
        Those that the table has.
    left_out : dict of str to str
        Quantities that are not read although a column has their name, and why.
    flag : str
        Column that is not 0 for halos to leave out; "" for none.
    flag_means : str
        What they are, in the names of the counts.
    may_lack_mass : bool
        Whether hosts without a mass (0, negative or NaN) are left out, with their satellites.
    stars : str
        Definition of the stellar mass; "" if the format does not have one.
    """

    columns: dict[str, Column]
    definition: str
    definitions: tuple[str, ...]
    left_out: dict[str, str]
    flag: str = ""
    flag_means: str = ""
    may_lack_mass: bool = False
    stars: str = ""


class _Open:
    """A plan in the making: what was found, and what there is to ask."""

    def __init__(self, table: Table, stated: Mapping[str, Taken], redshift: float | None) -> None:
        self.table, self.redshift = table, redshift or 0.0
        self.taken = {
            name: taken._replace(names=tuple(_field(table, n, name, taken) for n in taken.names))
            for name, taken in stated.items()
        }
        self.names = Names(name for name, field in table.fields.items() if field.kind != "O")
        self.found: list[str] = []  # what is wrong, for the message
        self.left_out: dict[str, str] = {}
        self.needs_map = False
        self.several: dict[str, str] = {}  # host masses by definition, if there are several
        self.suggested: dict[str, str] = {}

    def find(self, quantity: str, *, required: bool) -> None:
        """Take the column that usually has a quantity; ask if there are several, or none."""
        if quantity in self.taken:
            return
        self.choose(quantity, self.names.candidates(quantity), required=required)

    def choose(self, quantity: str, candidates: Sequence[Taken], *, required: bool) -> None:
        """Take a quantity from the only candidate."""
        if len(candidates) == 1:
            self.taken[quantity] = candidates[0]
        elif candidates:
            self.needs_map = True
            texts = [" ".join(map(quoted, taken.names)) for taken in candidates]
            self.found.append(f"several columns that may be {quantity} ({listed(texts)})")
            self.suggested[quantity] = candidates[0].entry(quantity)
        elif required:
            self.needs_map = True
            self.found.append(f"no column for {quantity}")
            names = "NAME NAME NAME" if quantity in VECTORS else "NAME"
            self.suggested[quantity] = f"{quantity}={names}"


def make_plan(
    table: Table,
    stated: Mapping[str, Taken],
    options: ReadOptions,
    *,
    defaults: Mapping[str, str] | None = None,
    asked: Sequence[str] = FACTS,
) -> Plan:
    """Return the plan for a table.

    Parameters
    ----------
    table : Table
    stated : mapping of str to Taken
        What the user, or the format, states.
    options : ReadOptions
    defaults : mapping of str to str, optional
        For a known format: the columns of the host mass by definition, the default first.
    asked : sequence of str
        Facts that the table does not state; those that the user does not state either are asked
        for in the same message.

    Raises
    ------
    MissingDatasetError
        A quantity, a unit, the mass definition or a fact is not stated anywhere.
    UsageError
        The user states what the table contradicts.
    """
    plan = _Open(table, stated, options.redshift)
    definition, definitions = _host_mass(plan, options, defaults or {})
    for quantity in _OPTIONAL:
        plan.find(quantity, required=False)
    plan.find("halo_id", required="host_id" in plan.taken)
    for quantity in VECTORS:
        plan.find(quantity, required=True)
    _bound_mass(plan)
    _of_the_host(plan, definition)
    columns = {name: _with_unit(plan, name) for name in QUANTITIES if name in plan.taken}
    _raise(plan, columns, definition, [n for n in asked if getattr(options, n) is None])
    kept = {name: column for name, column in columns.items() if column is not None}
    return Plan(kept, definition, definitions, plan.left_out)


def with_units(
    table: Table, stated: Mapping[str, Taken], redshift: float, flag: str
) -> dict[str, Column]:
    """Return columns that a map names, with their units; nothing else is looked for.

    Parameters
    ----------
    table : Table
    stated : mapping of str to Taken
        Each says where it comes from (``by``).
    redshift : float
    flag : str
        Option that states units, for messages.

    Raises
    ------
    MissingDatasetError
        A unit is not stated anywhere.
    UsageError
        There is no such column, or the map contradicts the table.
    """
    plan = _Open(table, stated, redshift)
    columns = {name: _with_unit(plan, name) for name in plan.taken}
    if plan.found:
        entries = [
            taken.entry(name, _SUGGESTED.get(QUANTITIES[name].unit, ""))
            if columns[name] is None
            else taken.entry(name)
            for name, taken in plan.taken.items()
        ]
        raise MissingDatasetError(
            table.place,
            f"{'; '.join(plan.found)}; columns: {table.listed()}",
            "columns whose units are stated",
            f"give {as_text(entries, flag)}, with the units that the table has",
        )
    return {name: column for name, column in columns.items() if column is not None}


def _field(table: Table, name: str, quantity: str, taken: Taken) -> str:
    """Return the name of a column that a map names, whatever its case."""
    same = [n for n in table.fields if name in (n, f"{table.name}/{n}")] or [
        n for n in table.fields if n.lower() == name.lower()
    ]
    where = f"{taken.by or FLAG}:{quantity}"
    if len(same) != 1:
        raise UsageError(
            where,
            f"the column {quoted(name)}, of which {table.place} has {len(same) or 'none'}",
            "one of " + table.listed(),
            "correct the name",
        )
    field = table.fields[same[0]]
    width = 3 if quantity in VECTORS and len(taken.names) == 1 else 1
    if field.kind == "O" or (field.kind and field.width != width):
        what = "no numbers" if field.kind == "O" else f"{field.width} values in a row"
        raise UsageError(
            where, f"{quoted(name)}, with {what}", f"{width} in each", "name other columns"
        )
    return same[0]


def _host_mass(
    plan: _Open, options: ReadOptions, defaults: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """Choose the host mass and its definition, the user's or the one that the name says."""
    wanted = options.mass_definition
    if "host_mass" in plan.taken and defaults:
        return wanted or next(iter(defaults)), tuple(defaults)
    if "host_mass" in plan.taken:
        said = definition_of(plan.taken["host_mass"].names[0])
        if wanted and said and wanted != said:
            warn(
                f"{plan.table.at(plan.taken['host_mass'].names[0])}: a mass called {said} is read "
                f"as {wanted}, as --mass-definition says"
            )
        return _known(plan, wanted or said)
    by_name = {k: [v] for k, v in defaults.items()} or dict(plan.names.host_masses())
    undefined = by_name.pop("", [])
    definitions = tuple(by_name)
    if wanted is None and (defaults or len(by_name) == 1):
        wanted = next(iter(by_name))
    if wanted in by_name:
        plan.choose("host_mass", [Taken((n,)) for n in by_name[wanted]], required=True)
        return wanted, definitions
    if wanted is None and by_name:
        masses = ", ".join(f"{key} ({listed(names)})" for key, names in by_name.items())
        plan.found.append(f"host masses of several definitions, {masses}")
        plan.several = {key: names[0] for key, names in by_name.items()}
        return "", definitions
    own = undefined or [n for t in plan.names.candidates("mass") for n in t.names]
    if by_name and (defaults or not own):
        raise UsageError(
            "--mass-definition",
            repr(wanted),
            "one that the table has: " + ", ".join(f"{k} ({v[0]})" for k, v in by_name.items()),
            f"choose one of these; or name the mass, {FLAG} host_mass=NAME",
        )
    if own and not undefined:
        plan.taken.setdefault("mass", Taken((own[0],)))
    plan.choose("host_mass", [Taken((name,)) for name in own], required=True)
    return _known(plan, wanted)[0], definitions


def _known(plan: _Open, definition: str | None) -> tuple[str, tuple[str, ...]]:
    if definition is None:
        plan.found.append("no definition of the host mass")
        return _DEFINITION, ()
    return definition, (definition,)


def _bound_mass(plan: _Open) -> None:
    """Choose the mass bound to each row: its own, else Mvir, else the column of the host mass."""
    plan.find("mass", required=False)
    if "mass" in plan.taken or "host_mass" not in plan.taken or "mass" in plan.suggested:
        return
    virial = plan.names.host_masses().get("vir", [])
    plan.taken["mass"] = plan.taken["host_mass"]
    if len(virial) != 1 or virial[0] in plan.taken["host_mass"].names:
        return
    if plan.taken["host_mass"].unit and not plan.table.fields[virial[0]].unit:
        entry = Taken((virial[0],)).entry("mass", _SUGGESTED["Msun"])
        plan.left_out[virial[0]] = f"no unit; {as_text([entry])} takes it for the bound mass"
        return
    plan.taken["mass"] = Taken((virial[0],))


def _of_the_host(plan: _Open, definition: str) -> None:
    """Take the radius and the concentration that belong to the host mass."""
    for quantity, kind in (("radius", "r"), ("concentration", "c")):
        same = plan.names.of_definition(kind, definition)
        if quantity not in plan.taken and len(same) == 1:
            plan.taken[quantity] = Taken((same[0],))
    if "concentration" not in plan.taken and "radius" in plan.taken:
        plan.find("scale_radius", required=False)
    if "scale_radius" in plan.taken and "radius" not in plan.taken:
        plan.left_out["scale_radius"] = f"no radius of {definition}"
        del plan.taken["scale_radius"]


def _with_unit(plan: _Open, quantity: str) -> Column | None:
    """Return a quantity with its unit; None if it is left out, or the unit must be asked for."""
    taken, column = plan.taken[quantity], QUANTITIES[quantity]
    if not column.unit:
        if taken.unit:
            raise UsageError(
                f"{taken.by or FLAG}:{quantity}", f"[{taken.unit}]", "no unit", "leave it out"
            )
        return Column(taken)
    if not taken.names:
        return Column(taken)
    fields = [plan.table.fields[name] for name in taken.names]
    in_file = {field.unit for field in fields if field.kind or field.unit}
    where = plan.table.at(taken.names[0])
    if len(in_file) > 1:
        plan.found.append(f"different units of {quantity} ({listed(sorted(in_file))})")
        plan.needs_map = True
        return None
    field = next((field for field in fields if field.unit), fields[0])
    if not (taken.unit or field.unit):
        if column.optional and not taken.by:
            entry = taken.entry(quantity, _SUGGESTED[column.unit])
            plan.left_out[quantity] = f"no unit; {as_text([entry])} reads it"
            return None
        plan.found.append(f"no unit of {quantity} ({' '.join(map(quoted, taken.names))})")
        plan.needs_map = True
        return None
    text, origin = (taken.unit, taken.by) if taken.unit else (field.unit, field.unit_from)
    try:
        conversion = units.parse(text, column)
    except UnitError as error:
        if taken.unit:
            raise UsageError(
                f"{taken.by}:{quantity}",
                f"[{text}], {error}",
                f"a unit like {column.unit_label}",
                f"write {taken._replace(unit='').entry(quantity, _SUGGESTED[column.unit])}",
            ) from error
        plan.found.append(f"the unit {text!r} of {quantity}, {error}")
        plan.needs_map = True
        return None
    ambiguous = column.a_power and quantity not in _COMOVING and not conversion.stated
    if ambiguous and plan.redshift:
        plan.found.append(f"{quantity} in {text}, comoving (cMpc/h) or physical (pMpc/h)")
        plan.needs_map = True
        return None
    if taken.unit and field.unit:
        _check_same(where, quantity, conversion, taken, field)
    return Column(taken, conversion, text, origin)


def _check_same(
    where: str, quantity: str, conversion: units.Conversion, taken: Taken, field: Field
) -> None:
    """Raise if a map states another unit than the file, other than a power of h or of a."""
    try:
        own = units.parse(field.unit, QUANTITIES[quantity])
    except UnitError:  # of no use in the file: the map mends it
        warn(f"{where}: {quantity} is read in {taken.unit}, and the file says {field.unit}")
        return
    if own._replace(stated="") == conversion._replace(stated=""):
        return
    if (own.factor, own.logarithm) != (conversion.factor, conversion.logarithm):
        raise UsageError(
            f"{taken.by}:{quantity}",
            f"[{taken.unit}]",
            f"{field.unit}, as {where} says ({field.unit_from})",
            "leave the unit out",
        )
    # FITS and VOTable have no little h, and no unit says that it is comoving.
    warn(f"{where}: {quantity} is read in {taken.unit}, and the file says {field.unit}")


def _raise(
    plan: _Open, columns: Mapping[str, Column | None], definition: str, missing: Sequence[str]
) -> None:
    """Ask for everything that is not stated, in one message."""
    if not plan.found:
        return
    fixes = []
    if plan.several and plan.needs_map:  # the name says the definition
        first = next(iter(plan.several.values()))
        plan.suggested["host_mass"] = f"host_mass={quoted(first)}"
        if plan.several.get("vir", first) != first:
            plan.suggested["mass"] = f"mass={quoted(plan.several['vir'])}"
    elif plan.several:
        first, *others = plan.several
        fixes.append(f"--mass-definition {first} (or {', '.join(others)})")
    if plan.needs_map:
        entries = []
        for quantity in QUANTITIES:
            if quantity in plan.suggested:
                unit = _SUGGESTED.get(QUANTITIES[quantity].unit, "")
                named = plan.suggested[quantity]
                fields = [plan.table.fields.get(n) for n in named.partition("=")[2].split()]
                has_unit = all(field is not None and field.unit for field in fields)
                entries.append(named + f" [{unit}]" * bool(unit and not has_unit))
            elif quantity in plan.taken and quantity not in plan.left_out:
                unstated = columns.get(quantity) is None
                unit = _SUGGESTED.get(QUANTITIES[quantity].unit, "") if unstated else ""
                entries.append(plan.taken[quantity].entry(quantity, unit))
        fixes.append(f"{as_text(entries)}, with the names and units that the table has")
    if definition == _DEFINITION:
        fixes.append("--mass-definition 200c (or 200m, 500c, vir, fof)")
    if missing:
        plan.found.append(f"no {', '.join(missing)}")
        fixes.append(given.flags(missing))
    raise MissingDatasetError(
        plan.table.place,
        f"{'; '.join(plan.found)}; columns: {plan.table.listed()}",
        "a table of halos, whose columns, units and facts are stated",
        "give " + ", and ".join(fixes),
    )
