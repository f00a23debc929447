"""Halos of CompaSO in ASDF, as of AbacusSummit, with cleaning and particles.

`mockgal.readers.compaso.files` says which files are read.

| native | unit | here |
|---|---|---|
| id | | halo_id, host_id; every row is a host |
| x_L2com | the box, from its centre | position |
| v_L2com | VelZSpace_to_kms km/s | velocity |
| N_total of the cleaning, else N | | n_particles |
| the same times ParticleMassHMsun | Msun/h | mass, host_mass (compaso) |
| vcirc_max_L2com, if present | VelZSpace_to_kms km/s | vmax |
| r100_L2com times rvcirc_max_L2com_i16 / 32000, if present | the box | concentration |

Positions and velocities are those of the largest subhalo's centre of mass, where a galaxy would be.
Cleaning (Bose et al. 2022, arXiv:2110.11409) adds the particles of halos that split off a larger
one to that one; rows without particles are left out and counted. The concentration is that of the
NFW profile whose circular velocity peaks at the same radius, 2.163 scale radii.
Format: Hadzhiyska et al. 2022, arXiv:2110.11408, and https://abacussummit.readthedocs.io.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import IncompleteSetError, MockgalError, UsageError, warn
from ...layout import MASS_DEFINITIONS_IN_FILE, MERGED, MISSING_CHUNKS
from ...protocols import ReadOptions
from ...system.memory import check_memory
from ...types import HaloCatalog, Scene, Snapshot, SourceFile
from .. import chunks
from ..about import About
from ..checks import values
from ..checks.in_pieces import HostsInPieces, Kept
from ..checks.regions import empty_region
from . import light_cone
from .asdf import AsdfFile, is_asdf, open_asdf
from .facts import DEFINITION, Facts, check_same, read_facts
from .files import Superslabs, find, of_halos
from .particles import Matter, matter
from .pieces import (
    CLEANED,
    COLUMNS,
    FOUND,
    INDEX,
    canonical,
    check_index,
    check_kind,
    check_pieces,
    check_rows,
    names_of,
    place,
)

Array = NDArray[Any]

_LOOKED_AT = 16  # files of a set that are examined to detect the format
_OF_ABACUS = ("ParticleMassHMsun", "VelZSpace_to_kms", "SODensityL1")  # entries of headers
_BYTES = 300  # of memory for a halo at the peak; measured: 220 to 243


class CompasoReader:
    """Halos of CompaSO (AbacusSummit): halo_info_NNN.asdf, with cleaning and particles."""

    name = "compaso"
    about = About(
        "CompaSO of Abacus, as of AbacusSummit (ASDF)",
        "hosts, particles, halo light cones",
        "unit box, stated in the header",
        tested_on="a real small box (abacusutils); made boxes",
        library="`pip install 'mockgal[formats]'`",
    )

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` holds halos of CompaSO; never raise for other formats."""
        if cone := light_cone.find(path):
            return is_asdf(cone)
        try:
            named = list(of_halos(path).values())
        except IncompleteSetError:
            return True
        except OSError:
            return False
        looked_at = (named or [path])[:_LOOKED_AT]
        return any(_is_halos(file, bool(named)) for file in looked_at)

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene at ``path``, in which every row is a host halo.

        Parameters
        ----------
        path : Path
            See `mockgal.readers.compaso.files.find`; or a halo light cone, lc_halo_info.asdf.
        options : ReadOptions

        Returns
        -------
        Scene

        Raises
        ------
        MockgalError
            Exit code 3 for files that are damaged, incomplete, contradictory or unphysical, 4 for
            unsafe ones, 2 for options that cannot be met, 6 for more halos than fit into memory.
        """
        if cone := self._light_cone(path, options):
            return light_cone.read(cone, options, format=self.name)
        found = _Found.at(path, options)
        with chunks.sources(chunks.FileSet(found.files, "")) as digests:
            rows = _Rows(found)
            columns = rows.columns()
            source = digests()
        chunks.check_distinct(source[: len(found.halos)], found.rows)
        missing = _missing(found.slabs, columns["position"], found.facts.box_size)
        snapshot, beside = self._described(found, missing, source, options)
        catalogue = rows.catalogue(columns, snapshot, options)
        return Scene(snapshot, catalogue, beside.particles if beside else None)

    def read_in_pieces(
        self, path: Path, options: ReadOptions, kept: Kept, rows: int
    ) -> Scene | str:
        """Read and check the halos at ``path`` in pieces, and return the scene without its halos.

        Parameters
        ----------
        path, options
            See `read`.
        kept : Kept
            Receives the pieces.
        rows : int
            Halos of a piece.

        Returns
        -------
        Scene or str
            Why the halos can only be read as a whole, in words.

        Raises
        ------
        MockgalError
            See `read`.
        """
        if self._light_cone(path, options):
            return "a light cone of halos"
        if options.drop_bad:
            return "--drop-bad"
        found = _Found.at(path, options)
        if found.slabs.chosen and not found.slabs.missing:
            return "whether more superslabs follow is told from all halos of those that were chosen"
        with chunks.sources(chunks.FileSet(found.files, "")) as digests:
            stated = self._snapshot(found, (), {})  # for the checks
            checks = HostsInPieces(
                stated, options._replace(centred_origin=False), kept, np.dtype(np.float32)
            )
            number = check_pieces(
                *(found.slabs, found.halos, found.cleaned, found.facts), checks, rows
            )
            source = digests()
        chunks.check_distinct(source[: len(found.halos)], found.rows)
        snapshot, beside = self._described(found, found.slabs.missing, source, options)
        counts = {"groups": sum(found.rows), MERGED: sum(found.rows) - number}
        halos = checks.finish(DEFINITION, snapshot, counts)
        return Scene(snapshot, halos, beside.particles if beside else None)

    def _light_cone(self, path: Path, options: ReadOptions) -> Path | None:
        """Return the file of a halo light cone at a path, after a check of the options."""
        if options.mass_definition not in (None, DEFINITION):
            raise UsageError(
                "--mass-definition",
                repr(options.mass_definition),
                f"{DEFINITION}, the only mass of these halos",
                "leave it out",
            )
        return light_cone.find(path)

    def _described(
        self, found: _Found, missing: str, source: tuple[SourceFile, ...], options: ReadOptions
    ) -> tuple[Snapshot, Matter | None]:
        """Return the snapshot with its record, and the matter beside it."""
        slabs, facts = found.slabs, found.facts
        beside = None if missing else matter(slabs, found.halos[0], facts)
        if not found.cleaned and not options.uncleaned:
            warn(
                f"{slabs.folder}: no cleaning of these halos is there: they are read as they were "
                "found, with halos that only split off larger ones; fetch the folder cleaning, or "
                "say --uncleaned",
            )
        record = _record(slabs, facts, missing, beside, options)
        return self._snapshot(found, source + _listed(beside), record), beside

    def _snapshot(
        self, found: _Found, source: tuple[SourceFile, ...], record: dict[str, Any]
    ) -> Snapshot:
        facts = found.facts
        return Snapshot(
            name=facts.name,
            box_size=facts.box_size,
            redshift=facts.redshift,
            cosmology=facts.cosmology,
            particle_mass=facts.particle_mass,
            format=self.name,
            source=source,
            record=record,
        )


class _Found(NamedTuple):
    """The files of a catalogue.

    Parameters
    ----------
    slabs : Superslabs
    halos, cleaned : list of AsdfFile
        Opened files of each superslab; ``cleaned`` may be empty.
    facts : Facts
    """

    slabs: Superslabs
    halos: list[AsdfFile]
    cleaned: list[AsdfFile]
    facts: Facts

    @classmethod
    def at(cls, path: Path, options: ReadOptions) -> _Found:
        """Find and open the files at a path."""
        slabs = find(path, options)
        halos = [open_asdf(file) for file in slabs.halos.files]
        cleaned = [open_asdf(file) for file in slabs.cleaned.files] if slabs.cleaned else []
        check_same([*halos, *cleaned])
        return cls(slabs, halos, cleaned, read_facts(halos[0], options))

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of halos and of their cleaning."""
        return self.slabs.halos.files + (self.slabs.cleaned.files if self.slabs.cleaned else ())

    @property
    def rows(self) -> list[int]:
        """Rows of each superslab."""
        return [file.column("id").shape[0] for file in self.halos]


class _Rows:
    """The rows of a catalogue, of which the cleaning decides which are read.

    Parameters
    ----------
    found : _Found
    """

    def __init__(self, found: _Found) -> None:
        self._halos, self._facts, self.found = found.halos, found.facts, found.rows
        check_memory(found.slabs.halos.where, _BYTES * sum(self.found))
        numbers, cleaned = [], found.cleaned
        for k, file in enumerate(cleaned or found.halos):
            numbers.append(file.read(CLEANED if cleaned else FOUND))
            check_rows(file, len(numbers[-1]), self.found[k])
            if cleaned:
                check_index(file, found.slabs.numbers[k], file.read(INDEX))
        self._keep = [number > 0 for number in numbers]
        self._number = np.concatenate(
            [number[keep] for number, keep in zip(numbers, self._keep, strict=True)]
        ).astype(np.int64)

    @property
    def merged(self) -> int:
        """Rows without particles."""
        return sum(self.found) - len(self._number)

    def columns(self) -> dict[str, Array]:
        """Return the columns in internal units."""
        where = partial(self._where, "halo_id")
        return canonical(self._gather, self._number, self._facts, where)

    def catalogue(
        self, columns: dict[str, Array], snapshot: Snapshot, options: ReadOptions
    ) -> HaloCatalog:
        """Return the checked rows."""
        return values.halo_catalog(
            columns,
            DEFINITION,
            snapshot,
            options._replace(centred_origin=False),
            self._where,
            {"groups": sum(self.found), MERGED: self.merged},
            stored=np.dtype(np.float32),
        )

    def _gather(self, name: str) -> Array:
        """Return the kept rows of an array."""
        if name not in names_of(self._halos):
            raise KeyError(name)
        shape, kind = COLUMNS[name]
        dtype = np.float64 if kind == "f" else self._halos[0].column(name, shape).dtype
        joined = np.empty((len(self._number), *shape), dtype)
        start = 0
        for k, (file, keep) in enumerate(zip(self._halos, self._keep, strict=True)):
            rows = file.read(name, shape)
            check_rows(file, len(rows), self.found[k])
            check_kind(file, name)
            stop = start + int(np.count_nonzero(keep))
            joined[start:stop] = rows[keep]
            start = stop
        return joined

    def _where(self, name: str, row: int = 0) -> str:
        """Return ``FILE:ARRAY, row R``, for a row of those that are kept."""
        for file, keep in zip(self._halos, self._keep, strict=True):
            if row < (kept := int(np.count_nonzero(keep))):
                return place(file, keep, name, row)
            row -= kept
        return place(self._halos[0], np.zeros(0, dtype=bool), name, row)


def _is_halos(path: Path, named: bool) -> bool:
    """Return whether a file has halos; also one that is ``named`` so, and damaged within."""
    if not is_asdf(path):
        return False
    try:
        file = open_asdf(path)
    except MockgalError:
        return named
    return FOUND in file.columns and any(name in file.header for name in _OF_ABACUS)


def _missing(slabs: Superslabs, position: Array, box_size: float) -> str:
    """Return the superslabs that are missing from a whole box, in words; "" if none is.

    Which ones the last superslab of a box is cannot be told from files alone. Where the user reads
    a part, a region without halos tells that others follow.
    """
    if slabs.missing or not slabs.chosen or not len(position):
        return slabs.missing
    inside = ((position >= 0) & (position < box_size)).all(axis=1)
    empty = empty_region(position[inside], box_size)
    return f"from {slabs.whole} on" if empty else ""


def _record(
    slabs: Superslabs, facts: Facts, missing: str, beside: Matter | None, options: ReadOptions
) -> dict[str, Any]:
    """Return what the reader chose."""
    record: dict[str, Any] = {
        "files": len(slabs.halos.files),
        "superslabs": _ranges(slabs.numbers),
        "cleaned": slabs.cleaned is not None,
        "positions_from": "x_L2com",
        "velocities_from": "v_L2com",
        "host_mass_dataset": f"{CLEANED if slabs.cleaned else FOUND} * ParticleMassHMsun",
        MASS_DEFINITIONS_IN_FILE: [DEFINITION],
        "mass_definition_chosen_by": "user" if options.mass_definition else "default",
        "hosts_from": "no subhalos in this format: every row is a host",
        "given_by_user": facts.by_user,
        **facts.record,
    }
    if slabs.cleaned:
        record["cleaning"] = str(slabs.cleaned.folder)
    elif options.uncleaned:
        record["uncleaned_by"] = "user"
    if missing:
        record |= {MISSING_CHUNKS: missing, "superslab_chosen": slabs.chosen}
        record["particles_left_out"] = "only a part of the box was read"
        if slabs.missing:
            record["files_of_the_whole_output"] = slabs.whole
    return record | (beside.record if beside else {})


def _ranges(numbers: tuple[int, ...]) -> str:
    """Return the numbers of superslabs as ranges."""
    every = range(numbers[-1] + 1)
    return chunks.missing_numbers([n for n in every if n not in set(numbers)], len(every))


def _listed(beside: Matter | None) -> tuple[SourceFile, ...]:
    """Return the files of particles: as they can take terabytes, without digests."""
    files = beside.files if beside else ()
    return tuple(chunks.source(path, digests=False) for path in files)
