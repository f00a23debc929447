"""Write a catalogue to a file; convert catalogues and painters for other packages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .. import registry
from ..errors import UsageError
from ..layout import DATA_MODELS, SINGLE
from ..painters.choose import made
from ..precision import PRECISIONS, check_position_rounding
from ..protocols import Painter, Writer, takes
from ..system.files.atomic import check_folder, check_output, together
from ..types import GalaxyCatalog, Scene

if TYPE_CHECKING:
    from astropy.table import QTable

    from ..writers.halotools_mock import HalotoolsMock

CHUNK_ROWS = 1 << 16


class FileWriter(NamedTuple):
    """A registered writer. Exceptions of a plug-in become an error that names it."""

    name: str
    writer: Writer
    options: Mapping[str, Any] = {}  # beside those of the protocol

    def write(self, galaxies: GalaxyCatalog, path: Path, **how: Any) -> None:
        """Write a catalogue: see `mockgal.protocols.Writer`."""
        with registry.guarded("writers", self.name, f"writing {path}"):
            self.writer.write(galaxies, path, **self.options, **how)

    def check_output(
        self, path: Path, overwrite: bool, inputs: Iterable[Path] = (), expected_bytes: int = 0
    ) -> None:
        """Raise, before any work is done, if a file or a folder could not be written at the end."""
        is_ours = getattr(self.writer, "is_ours", None)
        if is_ours is None:
            check_output(path, overwrite, inputs, expected_bytes)
        else:
            check_folder(path, overwrite=overwrite, is_ours=is_ours, inputs=inputs)

    def check_catalogue(self, galaxies: GalaxyCatalog, where: object) -> None:
        """Raise if a catalogue cannot be written in the data model."""
        if hasattr(self.writer, "check_catalogue"):
            self.writer.check_catalogue(galaxies, where)

    def check_randoms(self, where: object) -> None:
        """Raise if the data model has no files of randoms."""
        if hasattr(self.writer, "check_randoms"):
            self.writer.check_randoms(where)

    def check_columns(self, names: Iterable[str], where: object) -> None:
        """Raise if the data model needs a column that is not among ``names``."""
        if hasattr(self.writer, "check_columns"):
            self.writer.check_columns(names, where)


def writer_for(
    path: Path,
    *,
    compress: bool = False,
    model: str = "mockgal",
    desi_release: str = "dr1",
    precision: str = "float64",
    position_rounding: str | None = None,
) -> FileWriter:
    """Return the writer for a data model and the extension of ``path``, the longest that is one.

    Parameters
    ----------
    path : Path
    compress : bool
        Whether an HDF5 file is compressed.
    model : str
        One of `mockgal.layout.DATA_MODELS`.
    desi_release : str
        One of `mockgal.layout.DESI_RELEASES`.
    precision, position_rounding
        See `write`.

    Raises
    ------
    UsageError
        No writer has this extension, or none of the data model; or the writer lacks a library,
        cannot compress, or has no columns in single precision.
    """
    from ..writers.models.engine import DECLARED, ModelWriter, make_model

    if model not in DATA_MODELS:
        raise UsageError("data model", repr(model), "one of " + ", ".join(DATA_MODELS))
    single = _single(path, precision, position_rounding)
    if model == "hats":
        return _rounding(_folder_writer(path), path, single)
    declared = make_model(model, desi_release) if model in DECLARED else None
    formats = declared.formats if declared else (model,) if model != DATA_MODELS[0] else ()
    found = _by_extension(path, compress, formats)
    if not formats:
        return _rounding(found, path, single)
    if found.name not in formats:
        raise UsageError(
            path,
            f"the format {found.name} for the data model {model}",
            f"a name that ends in {' or '.join(_extensions_of(formats))}",
            "the extension of --out names the format",
        )
    if declared is None:
        return _rounding(found, path, single)
    if single is not None:
        raise UsageError(
            path,
            f"float32 for the data model {model}",
            "float64: the model has its own types",
            "leave out --precision-out, or --model-out",
        )
    return FileWriter(found.name, ModelWriter(declared, cast(Any, found.writer)), found.options)


def _single(
    path: Path, precision: str, position_rounding: str | None
) -> Mapping[str, str | None] | None:
    """Return how a writer stores columns in single precision; None for double precision."""
    if precision not in PRECISIONS:
        raise UsageError("precision", repr(precision), "one of " + ", ".join(PRECISIONS))
    if position_rounding is not None:
        check_position_rounding(position_rounding)
    if precision != PRECISIONS[0]:
        return {"position_rounding": position_rounding}
    if position_rounding is None:
        return None
    raise UsageError(
        path,
        "--position-rounding without --precision-out float32",
        "it for float32, which rounds positions",
        "add --precision-out float32, or leave it out",
    )


def _rounding(
    writer: FileWriter, path: Path, single: Mapping[str, str | None] | None
) -> FileWriter:
    """Return a writer that stores columns in single precision, if that is asked for."""
    if single is None:
        return writer
    if not getattr(writer.writer, "single_precision", False):
        raise UsageError(
            path,
            f"float32 for the format {writer.name}",
            "a format that has it: FITS, HDF5 or Parquet",
            "leave out --precision-out",
        )
    return writer._replace(options={**writer.options, "single": single})


def _folder_writer(path: Path) -> FileWriter:
    """Return the writer of folders in HATS, whose name must not be that of a file."""
    from ..writers.models.hats import HATSWriter

    for name in registry.built_in("writers"):
        ends = tuple(registry.make("writers", name).extensions)
        if path.name.lower().endswith(ends):
            raise UsageError(
                path,
                f"the extension {path.suffix} for the data model hats, which is a folder",
                "the name of a folder",
                "leave out the extension",
            )
    writer = HATSWriter()
    writer.check()
    return FileWriter("parquet", writer)  # of which HATS is made


def _extensions_of(formats: Sequence[str]) -> list[str]:
    return [end for name in formats for end in registry.make("writers", name).extensions]


def _by_extension(path: Path, compress: bool, formats: Sequence[str] = ()) -> FileWriter:
    """Return the writer for the extension of ``path``: see `writer_for`.

    ``formats`` are those of the data model, for the message; by default all.
    """
    writers = dict(registry.working("writers"))
    extensions = {end: name for name in reversed(writers) for end in writers[name].extensions}
    ends = [
        end for end in extensions if path.name.lower().endswith(end) and len(path.name) > len(end)
    ]
    if not ends:
        raise UsageError(
            path,
            f"extension {path.suffix!r}",
            "one of " + ", ".join(_extensions_of(formats or list(writers))),
            "the extension of --out names the format",
        )
    name = extensions[max(ends, key=len)]
    writer: Any = writers[name]
    if hasattr(writer, "check"):
        with registry.guarded("writers", name, "checking its libraries"):
            writer.check()
    compression = {other: getattr(one, "compression", "") for other, one in writers.items()}
    if compress and not compression[name]:
        able = [one.extensions[0] for other, one in writers.items() if compression[other]]
        raise UsageError(
            path,
            f"--compress for the format {name}",
            "a format that can be compressed",
            "name it " + " or ".join(able),
        )
    optional = compress and compression[name] == "optional"
    return FileWriter(name, writer, {"compress": True} if optional else {})


@takes(GalaxyCatalog)
def write(
    galaxies: GalaxyCatalog,
    path: str | os.PathLike[str],
    *,
    units: str = "h-free",
    overwrite: bool = False,
    compress: bool = False,
    model: str = "mockgal",
    desi_release: str = "dr1",
    precision: str = "float64",
    position_rounding: str | None = None,
    randoms: GalaxyCatalog | None = None,
) -> None:
    """Write a catalogue, completely or not at all.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    path : path-like
        The extension selects the format: ``.fits``, ``.fits.gz``, ``.hdf5`` or ``.parquet``.
    units : str
        ``"h-free"`` for Mpc and Msun, ``"h"`` for Mpc/h and Msun/h; lengths are comoving.
    overwrite : bool
        Replace the file if it exists.
    compress : bool
        Compress an HDF5 file; ``.fits.gz`` and ``.parquet`` always are.
    model : str
        Data model: ``"mockgal"`` for all columns as they are, or ``"desi"``, ``"boss"``,
        ``"gcr"``, ``"hats"`` (a folder) or ``"parquet"``. See docs/reference/data-models.md.
    desi_release : str
        ``"dr1"``, or ``"edr"``, in whose files NX is called NZ.
    precision : str
        ``"float32"`` stores positions, velocities and masses in single precision, if that rounds
        positions by less than 1e-3 of the softening, and velocities by less than 1 km/s. What
        would be rounded more stays as it is, with a warning. The file states the largest rounding.
    position_rounding : str, optional
        Rounding that is allowed for positions in place of that, such as ``"0.1 kpc/h"``.
    randoms : GalaxyCatalog, optional
        Written beside the galaxies, as the survey names them, or to ``<name>_ran``.

    Raises
    ------
    UsageError
        No format has the extension, or it needs a library that is not installed, or cannot be
        compressed; the file exists; or the data model needs a column that the catalogue lacks.
    OutputError
        The file cannot be written; a file that was there is left untouched.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> mockgal.write(mock, "mock.fits")
    >>> mockgal.write(mock, "mock-h.hdf5", units="h", compress=True)
    >>> mockgal.write(mock, "small.parquet", precision="float32")
    """
    write_model(
        galaxies,
        Path(path),
        model,
        randoms=randoms,
        units=units,
        overwrite=overwrite,
        compress=compress,
        desi_release=desi_release,
        precision=precision,
        position_rounding=position_rounding,
    )


def write_model(
    galaxies: GalaxyCatalog,
    path: Path,
    model: str = "mockgal",
    *,
    randoms: GalaxyCatalog | None = None,
    randoms_path: Path | None = None,
    units: str = "h-free",
    overwrite: bool = False,
    compress: bool = False,
    desi_release: str = "dr1",
    precision: str = "float64",
    position_rounding: str | None = None,
    inputs: Iterable[Path] = (),
) -> tuple[Path, ...]:
    """Write a catalogue in a data model, with what belongs beside it: all files, or none.

    Folders (of HATS) are written one after another, that of the galaxies last.

    Parameters
    ----------
    galaxies, path, model, randoms, units, overwrite, compress, desi_release
    precision, position_rounding
        See `write`.
    randoms_path : Path, optional
        Of the randoms; by default beside the galaxies, as the survey names them.
    inputs : iterable of Path
        Files that were read, which are not replaced.

    Returns
    -------
    tuple of Path
        What was written: the galaxies, the randoms if there are some, and the number density by
        redshift if the model has a file of it and the catalogue records it.

    Raises
    ------
    MockgalError
        See `write`.
    """
    from ..survey.steps import check_randoms
    from ..writers.models import companions

    catalogues = [(path, galaxies)]
    if randoms is not None:
        check_randoms(randoms, galaxies)
        catalogues.append((randoms_path or companions.randoms_path(path, model), randoms))
    inputs, writers = tuple(inputs), []
    for one, catalogue in catalogues:
        writer = writer_for(
            one,
            compress=compress,
            model=model,
            desi_release=desi_release,
            precision=precision,
            position_rounding=position_rounding,
        )
        writer.check_catalogue(catalogue, one)
        writer.check_output(one, overwrite, inputs)
        writers.append((writer, one, catalogue))
    text, density = companions.density_text(galaxies, model), companions.density_path(path, model)
    written = [*(one for one, _ in catalogues), *([density] if text else ())]
    with together(*written):
        if text:
            companions.write_density(text, density, overwrite=overwrite, inputs=inputs)
        for writer, one, catalogue in reversed(writers):
            writer.write(
                catalogue,
                one,
                units=units,
                overwrite=overwrite,
                chunk_rows=CHUNK_ROWS,
                inputs=inputs,
            )
    return tuple(written)


def single_precision(path: Path) -> dict[str, Any] | None:
    """Return what a mock that was written says of columns in single precision, or None."""
    from ..readers.mocks.reader import facts_of, is_ours

    if not is_ours(path):  # but of a plug-in
        return None
    stated = facts_of(path).file.get(SINGLE)
    return stated if isinstance(stated, dict) else None


@takes(GalaxyCatalog)
def to_table(galaxies: GalaxyCatalog, units: str = "h-free") -> QTable:
    """Return the catalogue as an astropy table with units.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    units : str
        ``"h-free"`` for Mpc and Msun, ``"h"`` for Mpc/h and Msun/h; lengths are comoving.

    Returns
    -------
    astropy.table.QTable
        n rows; the columns are those of `mockgal.columns.GALAXY_COLUMNS` that it has, and ``meta``
        has the facts of the header of a file.

    Raises
    ------
    UsageError
        ``units`` is neither.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> table = mockgal.to_table(mock)
    >>> len(table), str(table["stellar_mass"].unit)
    (333, 'solMass')
    """
    from ..writers.table import to_table as make_table

    return make_table(galaxies, units)


@takes(GalaxyCatalog)
def to_halotools(galaxies: GalaxyCatalog, sim: Scene | None = None) -> HalotoolsMock:
    """Return the catalogue as a halotools mock, in Mpc/h and Msun/h.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    sim : Scene, optional
        The simulation that the galaxies were painted on, to correlate them with its matter.

    Returns
    -------
    HalotoolsMock
        See `mockgal.writers.halotools.to_halotools`.

    Raises
    ------
    UsageError
        The catalogue is on the sky, or ``sim`` has no particles or is another simulation.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> made = mockgal.to_halotools(mock)
    >>> len(made.galaxy_table), made.Lbox
    (333, array([16., 16., 16.]))
    """
    from ..writers.halotools import to_halotools as make_mock

    return make_mock(galaxies, sim)


@takes(Scene)
def to_halotools_model(sim: Scene, painter: str | Painter = "hod", **options: Any) -> Any:
    """Return the painter ``hod`` as a halotools composite model.

    Parameters
    ----------
    sim : Scene
        The simulation that the model is for.
    painter : str or Painter
        As for `paint`.
    **options
        Options of the painter.

    Returns
    -------
    halotools.empirical_models.HodModelFactory
        See `mockgal.painters.halotools.composite.to_halotools_model`.

    Raises
    ------
    UsageError
        The painter is not an HOD, or an option is unknown.
    DomainError
        The simulation is outside the range in which the painter is valid.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> model = mockgal.to_halotools_model(sim, "hod")
    >>> sorted(model.gal_types)
    ['centrals', 'satellites']
    """
    from ..painters.halotools.composite import to_halotools_model as make_model

    return make_model(made("to_halotools_model", painter, options), sim)
