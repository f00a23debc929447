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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import (
    BadValueError,
    HeaderError,
    IncompleteSetError,
    MockgalError,
    UsageError,
    warn,
)
from ...layout import MASS_DEFINITIONS_IN_FILE, MERGED, MISSING_CHUNKS
from ...protocols import ReadOptions
from ...system.ids import whole
from ...system.memory import check_memory
from ...types import HaloCatalog, Scene, Snapshot, SourceFile
from .. import chunks
from ..about import About
from ..checks import values
from ..checks.regions import empty_region
from ..hdf5.stored import COPY_AGAIN
from . import light_cone, packed
from .asdf import AsdfFile, is_asdf, open_asdf
from .facts import DEFINITION, Facts, check_same, read_facts
from .files import Superslabs, find, of_halos
from .particles import Matter, matter

Array = NDArray[Any]

# Arrays of halo_info that are read, with the shape of a row.
COLUMNS: dict[str, tuple[int, ...]] = {"id": (), "x_L2com": (3,), "v_L2com": (3,)}
_VMAX, _RADIUS, _RATIO = "vcirc_max_L2com", "r100_L2com", "rvcirc_max_L2com_i16"
_FOUND, _CLEANED, _INDEX = "N", "N_total", "haloindex"
_LOOKED_AT = 16  # files of a set that are examined to detect the format
_OF_ABACUS = ("ParticleMassHMsun", "VelZSpace_to_kms", "SODensityL1")  # entries of headers
_PEAK = 2.16258  # scale radii of an NFW profile: where the circular velocity is largest
_OF_SUPERSLAB, _OF_STEP = 10**9, 10**12  # rows of a superslab and of a step in haloindex
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
        if options.mass_definition not in (None, DEFINITION):
            raise UsageError(
                "--mass-definition",
                repr(options.mass_definition),
                f"{DEFINITION}, the only mass of these halos",
                "leave it out",
            )
        if cone := light_cone.find(path):
            return light_cone.read(cone, options, format=self.name)
        slabs = find(path, options)
        halos = [open_asdf(file) for file in slabs.halos.files]
        cleaned = [open_asdf(file) for file in slabs.cleaned.files] if slabs.cleaned else []
        check_same([*halos, *cleaned])
        facts = read_facts(halos[0], options)
        files = slabs.halos.files + (slabs.cleaned.files if slabs.cleaned else ())
        with chunks.sources(chunks.FileSet(files, "")) as digests:
            rows = _Rows(slabs, halos, cleaned, facts)
            columns = rows.columns()
            source = digests()
        chunks.check_distinct(source[: len(halos)], rows.found)
        missing = _missing(slabs, columns["position"], facts.box_size)
        beside = None if missing else matter(slabs, halos[0], facts)
        if not cleaned and not options.uncleaned:
            warn(
                f"{slabs.folder}: no cleaning of these halos is there: they are read as they were "
                "found, with halos that only split off larger ones; fetch the folder cleaning, or "
                "say --uncleaned",
            )
        record = _record(slabs, facts, missing, beside, options)
        snapshot = Snapshot(
            name=facts.name,
            box_size=facts.box_size,
            redshift=facts.redshift,
            cosmology=facts.cosmology,
            particle_mass=facts.particle_mass,
            format=self.name,
            source=source + _listed(beside),
            record=record,
        )
        catalogue = rows.catalogue(columns, snapshot, options)
        return Scene(snapshot, catalogue, beside.particles if beside else None)


class _Rows:
    """The rows of a catalogue, of which the cleaning decides which are read.

    Parameters
    ----------
    slabs : Superslabs
    halos, cleaned : list of AsdfFile
        Opened files of each superslab; ``cleaned`` may be empty.
    facts : Facts
    """

    def __init__(
        self, slabs: Superslabs, halos: list[AsdfFile], cleaned: list[AsdfFile], facts: Facts
    ) -> None:
        self._slabs, self._halos, self._facts = slabs, halos, facts
        self.found = [file.column("id").shape[0] for file in halos]
        check_memory(slabs.halos.where, _BYTES * sum(self.found))
        numbers = []
        for k, file in enumerate(cleaned or halos):
            numbers.append(file.read(_CLEANED if cleaned else _FOUND))
            self._check_rows(file, len(numbers[-1]), self.found[k])
            if cleaned:
                self._check_index(file, k)
        self._keep = [number > 0 for number in numbers]
        self._number = np.concatenate(
            [number[keep] for number, keep in zip(numbers, self._keep, strict=True)]
        ).astype(np.int64)
        self._by_cleaning = bool(cleaned)

    @property
    def merged(self) -> int:
        """Rows without particles."""
        return sum(self.found) - len(self._number)

    def columns(self) -> dict[str, Array]:
        """Return the columns in internal units."""
        facts, side = self._facts, self._facts.box_size
        mass = self._number * facts.particle_mass
        ids = whole(self._gather("id", np.uint64), partial(self._where, "halo_id"))
        columns: dict[str, Array] = {
            "halo_id": ids,
            "host_id": ids,
            "is_central": np.ones(len(ids), dtype=bool),
            "position": packed.to_corner(self._gather("x_L2com", np.float64, side), side),
            "velocity": self._gather("v_L2com", np.float64, facts.speed),
            "mass": mass,
            "host_mass": mass,
            "n_particles": self._number,
        }
        if self._all_have(_VMAX):
            columns["vmax"] = self._gather(_VMAX, np.float64, facts.speed)
        if self._all_have(_RADIUS) and self._all_have(_RATIO):
            peak = self._gather(_RADIUS, np.float64, side)
            peak *= packed.from_ratios(self._gather(_RATIO, np.int16))
            radius, _ = facts.cosmology.halo_scale(mass, DEFINITION, facts.redshift)
            peak[peak <= 0] = np.nan  # not measured
            columns["concentration"] = _PEAK * radius / peak
        return columns

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

    def _all_have(self, name: str) -> bool:
        return all(name in file.columns for file in self._halos)

    def _gather(self, name: str, dtype: Any, unit: float | None = None) -> Array:
        """Return the kept rows of an array, times a unit."""
        shape = COLUMNS.get(name, ())
        joined = np.empty((len(self._number), *shape), dtype)
        start = 0
        for k, (file, keep) in enumerate(zip(self._halos, self._keep, strict=True)):
            rows = file.read(name, shape)
            self._check_rows(file, len(rows), self.found[k])
            if rows.dtype.kind != np.dtype(dtype).kind:
                raise HeaderError(
                    file.at(f"data/{name}"), f"numbers of type {rows.dtype}", f"{dtype}", COPY_AGAIN
                )
            stop = start + int(np.count_nonzero(keep))
            joined[start:stop] = rows[keep]
            start = stop
        if unit is not None:
            joined *= unit
        return joined

    def _check_rows(self, file: AsdfFile, rows: int, expected: int) -> None:
        if rows != expected:
            raise HeaderError(
                file.at("data"),
                f"{rows} rows",
                f"{expected}, as the ids of the superslab",
                "fetch the files again: they are of different versions",
            )

    def _check_index(self, file: AsdfFile, k: int) -> None:
        """Raise if the rows of a file of the cleaning are not those of the halos."""
        number = file.read(_INDEX).astype(np.int64) % _OF_STEP
        expected = self._slabs.numbers[k] * _OF_SUPERSLAB + np.arange(self.found[k])
        wrong = np.flatnonzero(number != expected)
        if wrong.size:
            raise BadValueError(
                f"{file.at(f'data/{_INDEX}')}, row {wrong[0]}",
                f"{wrong.size} rows of other halos, the first of row "
                f"{number[wrong[0]] % _OF_SUPERSLAB} of superslab "
                f"{number[wrong[0]] // _OF_SUPERSLAB}",
                f"the rows of superslab {self._slabs.numbers[k]}, in order",
                "fetch the cleaning again, or read the halos as they were found with --uncleaned",
            )

    def _where(self, name: str, row: int = 0) -> str:
        """Return ``FILE:ARRAY, row R``, for a row of those that are kept."""
        native = {"position": "x_L2com", "velocity": "v_L2com", "vmax": _VMAX}.get(name, _FOUND)
        native = "id" if name in ("halo_id", "host_id") else native
        for file, keep in zip(self._halos, self._keep, strict=True):
            kept = np.flatnonzero(keep)
            if row < len(kept):
                return f"{file.at(f'data/{native}')}, row {kept[row]}"
            row -= len(kept)
        return self._halos[0].at(f"data/{native}")


def _is_halos(path: Path, named: bool) -> bool:
    """Return whether a file has halos; also one that is ``named`` so, and damaged within."""
    if not is_asdf(path):
        return False
    try:
        file = open_asdf(path)
    except MockgalError:
        return named
    return _FOUND in file.columns and any(name in file.header for name in _OF_ABACUS)


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
        "host_mass_dataset": f"{_CLEANED if slabs.cleaned else _FOUND} * ParticleMassHMsun",
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
