"""Read a simulation, or a catalogue of galaxies that mockgal wrote."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError, UsageError, listening, renamed
from ...layout import WARNINGS
from ...protocols import ReadOptions, read_options
from ...quantity import stated_facts
from ...types import GalaxyCatalog, Scene

if TYPE_CHECKING:
    from ...readers.checks.in_pieces import Kept

CHUNK_ROWS = 1 << 16


@renamed(density="matter")
def read(
    path: object,
    *,
    format: str | None = None,
    matter: str | os.PathLike[str] | None = None,
    history: object = None,
    history_columns: str | Mapping[str, Any] | None = None,
    mass_definition: str | None = None,
    drop_bad: bool = False,
    orphans: str = "refuse",
    centred_origin: bool = False,
    allow_empty_regions: bool = False,
    allow_missing_chunks: bool = False,
    superslab: str | None = None,
    uncleaned: bool = False,
    stellar_mass_definition: str | None = None,
    h: float | None = None,
    omega_m: float | None = None,
    omega_lambda: float | None = None,
    w0: float | None = None,
    wa: float | None = None,
    box_size: float | str | None = None,
    redshift: float | None = None,
    particle_mass: float | str | None = None,
    columns: str | Mapping[str, Any] | None = None,
    matter_kind: str | None = None,
    matter_assignment: str | None = None,
    matter_origin: str | None = None,
    matter_dataset: str | None = None,
    chunk_rows: int = 1 << 20,
) -> Scene:
    """Return a simulation: its halos and, where there are any, its particles or density.

    Parameters
    ----------
    path : path-like or object
        A bundle, one file of a set, or a directory; a halo catalogue of halotools; or a table of
        halos: an astropy Table, a frame of pandas or polars, or a dict of arrays.
    format : str, optional
        Name of the reader (docs/how-to/read-your-simulation.md); by default found from the content.
    matter : path-like, optional
        Its matter, in place of its own: particles or a density grid.
    history : path-like or object, optional
        A table from its merger trees, with a row for each subhalo: peak and infall masses, scale
        factors of half-mass and of the last major merger.
    history_columns : str or mapping, optional
        Its columns, ``"halo_id=id, peak_mass=Mpeak [Msun/h], half_mass_scale=a_half"``.
    mass_definition : str, optional
        Host mass to read: 200c, 500c, 200m, vir, fof or compaso. By default the reader's documented
        choice, which is recorded.
    drop_bad : bool
        Drop and count bad rows instead of refusing the file: those with NaN, infinite or negative
        masses or velocities, and centrals of zero host mass with their satellites.
    orphans : str
        Treatment of satellites whose host is not in the catalogue: ``"refuse"``, ``"drop"`` them,
        or make each a ``"central"``.
    centred_origin : bool
        Positions are in [-L/2, L/2); they are wrapped to [0, L).
    allow_empty_regions : bool
        Accept a box with regions that hold no halo.
    allow_missing_chunks : bool
        Read a catalogue with missing files: only the groups whose subhalos are all present.
    superslab : str, optional
        Superslabs of a CompaSO catalogue to read, such as ``"3"`` or ``"0-3"``; by default all.
    uncleaned : bool
        Read a CompaSO catalogue as its halos were found, without its cleaning.
    stellar_mass_definition : str, optional
        Stars counted in a hydrodynamic run: ``"bound"`` or ``"2rhalf"``. By default all bound
        stars, which is recorded.
    h, omega_m, omega_lambda : float, optional
        H0 over 100 km/s/Mpc, and density parameters today, for files that do not state them.
    w0, wa : float, optional
        Equation of state of dark energy, w0 + wa (1 - a), for files that do not state it.
    box_size : float or str, optional
        Side of the box, for files that do not state it: in comoving Mpc/h, or ``"100 Mpc"``.
    redshift : float, optional
        Redshift, for files that do not state it.
    particle_mass : float or str, optional
        The same for the mass of a dark matter particle: in Msun/h, or ``"1e9 Msun/h"``.
    columns : str or mapping, optional
        For tables: ``"position=x y z [kpc/h], ..."``, or the same by quantity.
    matter_kind, matter_assignment, matter_origin : str, optional
        What a density grid is, for files that do not state it: ``"counts"``, ``"mass"`` (in
        Msun/h), ``"delta"`` or ``"1+delta"``; NGP, CIC, TSC or PCS; ``"corner"`` or ``"centre"``.
    matter_dataset : str, optional
        Name of the grid, if there are several.
    chunk_rows : int
        Rows read at a time; the result does not depend on it.

    Returns
    -------
    Scene
        In comoving Mpc/h, Msun/h and peculiar km/s.

    Raises
    ------
    MockgalError
        See docs/reference/exit-codes.md.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> len(sim.halos), sim.snapshot.box_size, sim.halos.mass_definition
    (456, 16.0, '200c')
    >>> sim.halos["position"].shape
    (456, 3)
    """
    options = read_options(locals())
    from ...readers.detect import read as read_scene
    from ...readers.matter.beside import check_facts, with_matter
    from .history import with_history

    options = _checked(options)
    check_facts(matter is not None, options)
    if history is None and history_columns is not None:
        raise UsageError(
            "--history-columns", "columns without --history", "a table", "give --history TABLE"
        )
    with listening() as warnings, _readable(path):
        scene: Scene = read_scene(path, options, format)
        if history is not None:
            scene = with_history(scene, history, history_columns)
        if matter is not None:
            scene = with_matter(scene, Path(matter), options)
    return _recorded(scene, options, warnings)


def read_in_pieces(
    path: Path, kept: Kept, rows: int, *, format: str | None, options: ReadOptions
) -> Scene | str:
    """Do what `read` does in pieces, of which ``kept`` receives each.

    Parameters
    ----------
    path : Path
    kept : Kept
    rows : int
        Halos of a piece.
    format : str or None
    options : ReadOptions

    Returns
    -------
    Scene or str
        The scene without its halos, whose number is in their record; or why it can only be read as
        a whole, in words.

    Raises
    ------
    MockgalError
        See `read`.
    """
    from ...readers.detect import read_in_pieces as read_pieces
    from ...readers.matter.beside import check_facts

    options = _checked(options)
    check_facts(False, options)
    with listening() as warnings, _readable(path):
        scene = read_pieces(path, options, format, kept, rows)
    return _recorded(scene, options, warnings) if isinstance(scene, Scene) else scene


def _checked(options: ReadOptions) -> ReadOptions:
    from ...readers.tables.quantities import map_text

    options = ReadOptions(**stated_facts(options._asdict()))
    return options._replace(columns=map_text(options.columns) or None)


@contextmanager
def _readable(path: object) -> Iterator[None]:
    """Turn errors of folders into ours: readers handle those of their files."""
    try:
        yield
    except OSError as error:
        raise InputError(
            path,
            f"that it cannot be read ({error.strerror or error})",
            "a file or folder that may be read",
            "check the name and the permissions",
        ) from error


def _recorded(scene: Scene, options: ReadOptions, warnings: list[str]) -> Scene:
    """Return a scene that records the options that were given, and the warnings."""
    defaults = ReadOptions()._asdict()
    given = {
        key: value
        for key, value in options._asdict().items()
        if value != defaults[key] and key != "chunk_rows"  # does not change the result
    }
    record = {**scene.snapshot.record}
    if given:
        record["options_given"] = {**record.get("options_given", {}), **given}
    if warnings:  # a bundle may carry the warnings of its packing
        record[WARNINGS[0]] = list(dict.fromkeys([*record.get(WARNINGS[0], ()), *warnings]))
    if record == dict(scene.snapshot.record):
        return scene
    return replace(scene, snapshot=replace(scene.snapshot, record=record))


def read_galaxies(
    path: str | os.PathLike[str],
    columns: Iterable[str] | None = None,
    *,
    chunk_rows: int = CHUNK_ROWS,
    changed_by_hand: str | None = None,
) -> GalaxyCatalog:
    """Read a FITS, HDF5 or Parquet catalogue that `write` or `build` wrote, in internal units.

    Parameters
    ----------
    path : path-like
    columns : iterable of str, optional
        Names of `mockgal.columns.GALAXY_COLUMNS` to read; memory is used for these and for the
        two ids, which are always read. By default all columns of the file.
    chunk_rows : int
        Rows held in memory beside the result, which does not depend on it.
    changed_by_hand : str, optional
        Reason why the file was changed after it was written: other numbers, for instance by h5py;
        in FITS and Parquet also other rows or columns, by astropy or pyarrow. A warning says so,
        and the reason is kept in ``provenance["changed_by_hand"]``.

    Returns
    -------
    GalaxyCatalog
        From a file in h units: the numbers that were written, with their content digest checked.
        From an h-free file: lengths and masses to within one unit in the last place, with the
        digest of the written catalogue in ``provenance["read_from"]``.

    Raises
    ------
    MockgalError
        Exit code 3 for a damaged file, or one that mockgal did not write; 4 for an unsafe file; 2
        for a column that the file does not have.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> mockgal.write(mock, "mock.hdf5", units="h")
    >>> mockgal.read_galaxies("mock.hdf5").digest() == mock.digest()
    True
    """
    from ...readers.mocks.reader import read_galaxies as read_catalogue

    return read_catalogue(path, columns, chunk_rows=chunk_rows, changed_by_hand=changed_by_hand)
