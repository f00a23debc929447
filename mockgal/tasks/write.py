"""Write a catalogue to a file; convert catalogues and painters for other packages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import registry
from ..errors import UsageError
from ..painters.choose import made
from ..protocols import Painter, Writer, takes
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


def writer_for(path: Path, *, compress: bool = False) -> FileWriter:
    """Return the writer for the extension of ``path``, the longest that is one.

    Raises
    ------
    UsageError
        No writer has this extension; or the writer lacks a library, or cannot compress.
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
            "one of " + ", ".join(end for w in writers.values() for end in w.extensions),
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

    Raises
    ------
    UsageError
        No format has the extension, or it needs a library that is not installed, or cannot be
        compressed; or the file exists.
    OutputError
        The file cannot be written; a file that was there is left untouched.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> mockgal.write(mock, "mock.fits")
    >>> mockgal.write(mock, "mock-h.hdf5", units="h", compress=True)
    """
    writer_for(Path(path), compress=compress).write(
        galaxies, Path(path), units=units, overwrite=overwrite, chunk_rows=CHUNK_ROWS
    )


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
