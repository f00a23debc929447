"""Read the rows of a catalogue that mockgal wrote, in any file format.

Memory is that of the requested columns and one chunk of rows. A file in h units holds exactly the
values of the catalogue that was written, and its content digest is checked. In an h-free file, the
conversion rounded lengths and masses; see `mockgal.readers.mocks.values.internal`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from math import inf
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from ...columns import GALAXY_COLUMNS, OUR_COLUMNS, Column
from ...completeness import Completeness
from ...digests import IDENTITY, StoredDigests
from ...errors import BadValueError, CorruptFileError, InputError, UsageError, warn
from ...layout import INPUTS, MADE_WITH, MODEL, SINGLE
from ...protocols import MockOptions
from ...system.memory import check_memory
from ...types import Array, GalaxyCatalog
from .facts import Facts
from .values import AGAIN, check_ids, check_values, internal

_OR_SAY_WHY = f'{AGAIN}; if you changed it on purpose, --changed-by-hand "WHY"'
# Of a file whose rows or columns another program may have changed.
BY_HAND = (
    "copy the file again; or, if you made it from a mock of mockgal, say why: "
    '--changed-by-hand "WHY"'
)


class Catalogue(Protocol):
    """An open file: its description of its rows, and the rows."""

    @property
    def facts(self) -> Facts:
        """The checked description of the rows."""

    def where(self, column: str) -> str:
        """Return the place of a column, for messages."""

    def chunks(
        self, names: tuple[str, ...], chunk_rows: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        """Yield the index of the first row, and the columns as stored in the file."""


class Examined(NamedTuple):
    """What all rows of a file were found to be.

    Parameters
    ----------
    facts : Facts or None
        None of a file that says that it was changed.
    rows : int
        That were read.
    changed : tuple of str
        Columns that differ from their digests in the provenance.
    damage : str
        Why not all rows could be read; "" if they could.
    exact : bool
        Whether the rows are the very values that the content digest covers.
    """

    facts: Facts | None
    rows: int
    changed: tuple[str, ...]
    damage: str
    exact: bool = False


class Ours(ABC):
    """A reader of catalogues that mockgal wrote; see `mockgal.protocols.MockReader`."""

    name: ClassVar[str]

    @abstractmethod
    def detect(self, path: Path) -> bool:
        """Return whether ``path`` begins like a catalogue that mockgal wrote; never raise."""

    @abstractmethod
    def _open(self, path: Path) -> AbstractContextManager[Catalogue]:
        """Open a file and check its description, but not its rows."""

    def read(self, path: Path, options: MockOptions) -> GalaxyCatalog:
        """Return the catalogue at ``path``; see `mockgal.readers.mocks.reader.read_galaxies`."""
        reason = options.changed_by_hand
        if reason is not None:
            # Only here: astropy's units take a while to load.
            from .changed import as_changed, check_reason

            check_reason(reason)
        changed: list[str] = []
        with self._open(path) as catalogue:
            facts = catalogue.facts
            if reason is not None:
                facts.check_may_be_changed(path)
            names = _in_file(path, facts, options.columns)
            types = {name: facts.in_memory[stored].dtype for name, stored in names.items()}
            kinds = {name: np.dtype(kind).newbyteorder("=") for name, kind in types.items()}
            check_memory(f"{path}", facts.rows * sum(kind.itemsize for kind in kinds.values()))
            result = {name: np.empty(facts.rows, dtype=kind) for name, kind in kinds.items()}
            differing = None if reason is None else changed
            stored = tuple(names.values())
            for start, part in _converted(catalogue, stored, options.chunk_rows, differing):
                for name, own in names.items():
                    values = part[own]
                    if facts.held is not None and facts.held[own].origin:
                        values = values + facts.held[own].origin
                    result[name][start : start + len(values)] = values
        galaxies = GalaxyCatalog(
            result, facts.snapshot, facts.frame, facts.provenance, facts.plugin_columns
        )
        left_out = [name for name in facts.columns if name not in names]
        exact = facts.held is None and not left_out and _is_exact(facts)
        if reason is not None:
            if (exact and galaxies.digest() != facts.digest) or not (exact or facts.stored_digests):
                changed = changed or list(names)
            if changed:
                return as_changed(path, galaxies, reason, facts.rows, facts.digest, changed=changed)
            warn(
                f"{path}: declared as changed by hand ({reason}), but its rows are those that "
                "mockgal wrote",
                stacklevel=4,
            )
        check_ids(path, galaxies)
        if not exact:
            read_from = {
                "content_digest": facts.digest,
                "rows": facts.rows,
                "units": facts.units,
                "columns_left_out": left_out,
                **({SINGLE: facts.file[SINGLE]} if SINGLE in facts.file else {}),
            }
            if facts.held is not None:
                read_from |= {"columns_left_out": [], **facts.file[MODEL]}
            return galaxies.with_provenance(read_from=read_from)
        if galaxies.digest() != facts.digest:
            raise CorruptFileError(
                path, f"rows of content digest {galaxies.digest()}", facts.digest, _OR_SAY_WHY
            )
        return galaxies

    def examine(self, path: Path) -> Examined:
        """Read all rows at ``path``, chunk by chunk, and return what is wrong with them.

        Raises
        ------
        MockgalError
            The description of the rows is damaged, or contradicts itself.
        """
        reason, changed = self.reason_stated(path), list[str]()
        if reason:
            return Examined(None, 0, (), f"changed by hand: {reason}")
        options, rows = MockOptions(), 0
        with self._open(path) as catalogue:
            facts = catalogue.facts
            try:
                for start, part in _converted(
                    catalogue, facts.columns, options.chunk_rows, changed
                ):
                    rows = start + len(next(iter(part.values())))
            except InputError as error:
                return Examined(facts, rows, tuple(changed), str(error))
        exact = facts.held is None and _is_exact(facts)
        return Examined(facts, rows, tuple(changed), "", exact and not changed)

    def facts_of(self, path: Path) -> Facts:
        """Return the checked description of the rows at ``path``."""
        with self._open(path) as catalogue:
            return catalogue.facts

    def reason_stated(self, path: Path) -> str | None:
        """Return the reason that a file states for having been changed, or None; never raise."""
        return None

    def describe(self, path: Path, options: MockOptions) -> dict[str, Any]:
        """Describe the catalogue at ``path``; read and check all of it, chunk by chunk."""
        if options.changed_by_hand is not None:
            return described(path, self.name, self.read(path, options))
        with self._open(path) as catalogue:
            facts = catalogue.facts
            parts = (part for _, part in _converted(catalogue, facts.columns, options.chunk_rows))
            return _description(path, self.name, facts, parts)


def _in_file(path: Path, facts: Facts, columns: Iterable[str] | None) -> dict[str, str]:
    """Return the columns to read, each with its name in the file; see `wanted`."""
    if facts.held is None:
        return {name: name for name in wanted(path, facts.columns, columns)}
    own: dict[str, str] = {}
    for stored, held in facts.held.items():
        own.setdefault(held.column, stored)
    return {name: own[name] for name in wanted(path, own, columns)}


class Rewritable(Ours):
    """A reader of a format that other programs write anew, with other rows and columns."""

    @abstractmethod
    def reason_stated(self, path: Path) -> str | None:
        """Return the reason that a file states for having been changed, or None; never raise."""

    @abstractmethod
    def _read_changed(
        self, path: Path, names: tuple[str, ...] | None, reason: str
    ) -> GalaxyCatalog:
        """Return the catalogue in a file that was changed for this reason."""

    def read(self, path: Path, options: MockOptions) -> GalaxyCatalog:
        """Return the catalogue at ``path``, also one that states why it was changed."""
        reason = self._reason(path, options)
        if reason is None:
            return super().read(path, options)
        return self._read_changed(path, options.columns, reason)

    def describe(self, path: Path, options: MockOptions) -> dict[str, Any]:
        """Describe the catalogue at ``path``; see `Ours`."""
        reason = self._reason(path, options)
        return super().describe(path, options._replace(changed_by_hand=reason))

    def _reason(self, path: Path, options: MockOptions) -> str | None:
        if options.changed_by_hand is None:
            return self.reason_stated(path)
        return options.changed_by_hand


def described(path: Path, format: str, galaxies: GalaxyCatalog) -> dict[str, Any]:
    """Describe a catalogue that was read whole.

    Parameters
    ----------
    path : Path
    format : str
        Name of the reader.
    galaxies : GalaxyCatalog

    Returns
    -------
    dict
        Plain JSON values; masses in Msun/h, lengths in Mpc/h, as the keys say.
    """
    facts = Facts(
        len(galaxies),
        {name: galaxies.declared[name] for name in galaxies.columns},
        "h",
        galaxies.frame,
        galaxies.digest(),
        {},
        True,
        galaxies.snapshot,
        dict(galaxies.provenance),
        {},
    )
    return _description(path, format, facts, iter([dict(galaxies.columns)]))


def _description(
    path: Path, format: str, facts: Facts, parts: Iterator[dict[str, Array]]
) -> dict[str, Any]:
    centrals, low, high = 0, inf, -inf
    for part in parts:
        centrals += int(np.sum(part.get("is_central", False)))
        mass = part.get("stellar_mass", np.empty(0))
        low, high = min(low, mass.min(initial=inf)), max(high, mass.max(initial=-inf))
    snapshot, provenance = facts.snapshot, facts.provenance
    simulation, painter = provenance.get("simulation", {}), provenance.get("painter", {})
    shown = (
        *("calibration", "calibration_digest", "weights", "weights_digest", "caution"),
        *("comes_with_mockgal", "model", "threshold_m_r", "parameters_given", "parameters"),
        *("stellar_mass_law", "stellar_mass_parameters", "assembly_bias"),
        *("device", "grid_size", "tile_size", "precision", "torch", "instructions"),
        *("mode", "rank_by", "rank_correlation", "relation", "scatter_dex", "proxy", "alpha"),
        *("mass_function", "imf", "satellite_fraction", "resolved_mass_from"),
        *("complete_proxy_from", "complete_proxy_unit"),
    )
    return {
        "path": str(path),
        "kind": "mock",
        "format": format,
        "data_model": facts.file.get(MODEL, {}).get("name"),
        "bytes": sum(file.size for file in snapshot.source),
        "version": provenance.get("version"),
        "rows": facts.rows,
        "columns": {
            name: _unit_label(column, facts.units) for name, column in facts.declared.items()
        },
        "columns_absent": [
            name
            for name, column in GALAXY_COLUMNS.items()
            if facts.held is None and name not in facts.columns and not column.optional
        ],
        "units": facts.units,
        "float32": facts.file.get(SINGLE),
        "frame": facts.frame,
        "centrals": centrals if "is_central" in facts.columns else None,
        "stellar_mass_range_msun_h": [float(low), float(high)] if low <= high else None,
        "simulation": snapshot.name,
        "box_size_mpc_h": snapshot.box_size,
        "redshift": snapshot.redshift,
        "cosmology": snapshot.cosmology.to_dict(),
        "particle_mass_msun_h": snapshot.particle_mass,
        "host_mass_definition": simulation.get("mass_definition"),
        "halo_digest": simulation.get("halo_digest"),
        "survey": provenance.get("survey", []),
        "missing_chunks": snapshot.record.get("missing_chunks") or None,
        "painter": {"name": painter.get("name")}
        | {key: painter[key] for key in (*shown, "references") if key in painter},
        "seed": provenance.get("seed"),
        "inputs": provenance.get(INPUTS, []),
        "made_with": provenance.get(MADE_WITH, {}),
        "cuts": provenance.get("cuts", []),
        "completeness": str(Completeness.of(provenance)),
        "changed_by_hand": provenance.get("changed_by_hand"),
        "warnings": provenance.get("warnings", []),
        "configuration_digest": provenance.get("configuration_digest"),
        "content_digest": facts.digest,
    }


def _unit_label(column: Column, units: str) -> str:
    return column.unit_label if units == "h" else column.unit


def wanted(path: Path, present: Iterable[str], columns: Iterable[str] | None) -> tuple[str, ...]:
    """Return the columns to read, in the order of `OUR_COLUMNS`, others last, with the ids.

    Parameters
    ----------
    path : Path
        For messages.
    present : iterable of str
        The columns of the file.
    columns : iterable of str or None
        The requested columns; None for all.

    Raises
    ------
    UsageError
        The file lacks a requested column.
    """
    present = tuple(present)
    every = dict.fromkeys([*OUR_COLUMNS, *present])
    if columns is None:
        return tuple(name for name in every if name in present)
    asked = set(columns)
    unknown = sorted(str(name) for name in asked if name not in present)
    if unknown:
        raise UsageError(
            path,
            f"no column {', '.join(unknown)}",
            "some of " + ", ".join(present),
            "ask for columns of the file",
        )
    asked |= set(IDENTITY)
    return tuple(name for name in every if name in asked and name in present)


def _is_exact(facts: Facts) -> bool:
    """Return whether the rows are exactly the values that the content digest covers."""
    if facts.rows and any(facts.single.values()):
        return False
    converted = [name for name, column in facts.declared.items() if column.h_power]
    return facts.units == "h" or (facts.box_is_exact and not (converted and facts.rows))


def _converted(
    catalogue: Catalogue,
    names: tuple[str, ...],
    chunk_rows: int,
    changed: list[str] | None = None,
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Yield rows in internal units, checked; ``changed`` as in `_stored`."""
    facts, bad = catalogue.facts, None
    box_size = facts.snapshot.box_size if facts.frame == "box" else None
    for start, part in _stored(catalogue, names, chunk_rows, changed):
        try:
            for name, values in part.items():
                column = facts.declared[name]
                h_power = column.h_power
                if name in facts.single:
                    values = part[name] = values.astype(np.float64)
                if facts.units == "h-free" and h_power:
                    edge = box_size if box_size and name.startswith("position_") else inf
                    part[name] = internal(values, h_power, facts.snapshot.cosmology.h, edge)
                check_values(catalogue.where(name), column, start, part[name], box_size)
        except BadValueError as error:
            bad = bad or error  # read on: if a checksum fails, the file is damaged
            continue
        yield start, part
    if bad is not None:
        raise bad


def _stored(
    catalogue: Catalogue, names: tuple[str, ...], chunk_rows: int, changed: list[str] | None
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Yield rows as stored in the file; at the end, check that they are those that were written.

    Parameters
    ----------
    changed : list of str or None
        Receives the names of columns that differ; None to refuse such columns.

    Raises
    ------
    CorruptFileError
        A column differs from its digest in the provenance. The checksums of the file do not show
        this, because a library that changes rows renews them.
    """
    facts = catalogue.facts
    digests = StoredDigests(facts.declared[name] for name in names)
    expected = facts.stored_digests
    for start, part in catalogue.chunks(names, chunk_rows):
        for name, values in part.items():
            digests.add(name, values)
        yield start, part
    actual = digests.hexadecimal()
    differ = [name for name in names if name in expected and actual[name] != expected[name]]
    if changed is not None:
        changed += differ
    elif differ:
        raise CorruptFileError(
            catalogue.where(differ[0]),
            f"rows of digest {actual[differ[0]]}, changed since mockgal wrote them"
            + f" (as are {len(differ)} columns in all)" * (len(differ) > 1),
            f"{expected[differ[0]]}, as in the provenance",
            _OR_SAY_WHY,
        )
