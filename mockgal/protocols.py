"""The interfaces of readers, painters and writers, and the options that a user gives a reader."""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from .columns import Column
from .errors import MissingDatasetError, UsageError
from .laws.distribution import Distribution
from .types import GalaxyCatalog, Scene

F = TypeVar("F", bound=Callable[..., Any])

_MATTER = (
    "give --matter PATH, its particles or a density grid, or keep its snapshot beside the catalogue"
)
_CONTENTS = {"field": "particles or density grid"}  # of a scene, in words

# The kinds of first argument, in words, each with the function that reads one.
_OBJECTS: dict[type, tuple[str, str]] = {
    Scene: ("a simulation", "read"),
    GalaxyCatalog: ("a catalogue of galaxies", "read_galaxies"),
}


def takes(kind: type) -> Callable[[F], F]:
    """Return a decorator that checks that the first argument is a ``kind``: Scene or GalaxyCatalog.

    A path in its place raises a `UsageError` that says how to read it.
    """
    what, reader = _OBJECTS[kind]

    def decorate(function: F) -> F:
        name = next(iter(inspect.signature(function).parameters))

        @functools.wraps(function)
        def checked(*args: Any, **keywords: Any) -> Any:
            first = args[0] if args else keywords.get(name)
            if first is not None and not isinstance(first, kind):
                raise UsageError(
                    f"mockgal.{function.__name__}",
                    f"a {type(first).__name__}",
                    what,
                    f"mockgal.{reader}(PATH) gives one",
                )
            return function(*args, **keywords)

        return checked  # type: ignore[return-value]

    return decorate


class ReadOptions(NamedTuple):
    """Options that a user gives a reader.

    Parameters
    ----------
    mass_definition : str or None
        Which host mass to read; None takes the reader's documented choice, which is recorded.
    drop_bad : bool
        Drop rows with impossible values, such as NaN, centrals whose host mass is zero, and halos
        that are repeated under another id, instead of refusing the file. If most rows are bad, the
        file is refused all the same.
    orphans : str
        What to do with satellites whose host is not in the catalogue: ``"refuse"``, ``"drop"`` or
        ``"central"``.
    centred_origin : bool
        Positions are in [-L/2, L/2) and are wrapped to [0, L).
    allow_empty_regions : bool
        Accept a box with a region without halos that is too large to be a void.
    allow_missing_chunks : bool
        Read a multi-file catalogue with missing files: the groups whose subhalos are all present.
        The rest is counted.
    superslab : str or None
        Superslabs of a CompaSO catalogue to read, such as ``"3"`` or ``"0-3"``; None for all.
    uncleaned : bool
        Read a CompaSO catalogue without its cleaning.
    stellar_mass_definition : str or None
        Which stars of a hydrodynamic run are counted, a key of
        `mockgal.types.STELLAR_MASS_DEFINITIONS`; None takes all bound stars, which is recorded.
    h, omega_m, omega_lambda, w0, wa : float or None
        Cosmology, for files that do not state it.
    box_size, redshift : float or None
        Side of the box [comoving Mpc/h] and redshift, for files that do not state them.
    particle_mass : float or None
        Mass of a particle of dark matter [Msun/h], for files that do not state it.
    columns : str, mapping or None
        For tables: the columns of each quantity, as ``"position=x y z [kpc/h], halo_id=id"`` or as
        a mapping of the same words by quantity; None to find them by their names.
    matter_kind : str or None
        What the values of a density grid are, for files that do not state it: ``"counts"`` of
        particles, ``"mass"`` [Msun/h], ``"delta"`` or ``"1+delta"``.
    matter_assignment, matter_origin : str or None
        Mass assignment and origin of such a grid; see `mockgal.types.DensityField`.
    matter_dataset : str or None
        Name of the grid's dataset or block, if there are several.
    chunk_rows : int
        Rows read at a time.

    Examples
    --------
    >>> from mockgal.protocols import ReadOptions
    >>> ReadOptions(mass_definition="200m").orphans
    'refuse'
    """

    mass_definition: str | None = None
    drop_bad: bool = False
    orphans: str = "refuse"
    centred_origin: bool = False
    allow_empty_regions: bool = False
    allow_missing_chunks: bool = False
    superslab: str | None = None
    uncleaned: bool = False
    stellar_mass_definition: str | None = None
    h: float | None = None
    omega_m: float | None = None
    omega_lambda: float | None = None
    w0: float | None = None
    wa: float | None = None
    box_size: float | None = None
    redshift: float | None = None
    particle_mass: float | None = None
    columns: str | Mapping[str, Any] | None = None
    matter_kind: str | None = None
    matter_assignment: str | None = None
    matter_origin: str | None = None
    matter_dataset: str | None = None
    chunk_rows: int = 1 << 20


class MockOptions(NamedTuple):
    """Options for a reader of mocks.

    Parameters
    ----------
    columns : tuple of str or None
        Names of `mockgal.columns.GALAXY_COLUMNS` to read beside the ids; None for all. Any other
        columns that the reader returns are dropped.
    chunk_rows : int
        Rows held in memory beside the result; the result does not depend on it.
    changed_by_hand : str or None
        Reason why the file is accepted although it differs from what mockgal wrote; None for
        plug-ins.

    Examples
    --------
    >>> from mockgal.protocols import MockOptions
    >>> MockOptions(columns=("stellar_mass",)).chunk_rows
    65536
    """

    columns: tuple[str, ...] | None = None
    chunk_rows: int = 1 << 16
    changed_by_hand: str | None = None


def read_options(arguments: Mapping[str, Any]) -> ReadOptions:
    """Return the reading options among the arguments of a function."""
    return ReadOptions(**{name: arguments[name] for name in ReadOptions._fields})


def spelled_out(function: F) -> F:
    """List the reading options, which ``function`` takes as ``**options``, one by one.

    They appear in its signature, for `help` and for completion, and in its docstring.
    """
    own = inspect.signature(function)
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=ReadOptions.__annotations__[name],
        )
        for name, default in ReadOptions._field_defaults.items()
        if name not in own.parameters
    ]
    *named, last = own.parameters.values()
    if last.kind is not last.VAR_KEYWORD:
        raise TypeError(f"{function.__name__} takes no **options")
    function.__signature__ = own.replace(parameters=[*named, *options])  # type: ignore[attr-defined]
    names = textwrap.wrap(", ".join(option.name for option in options), 90)
    function.__doc__ = (function.__doc__ or "").replace(
        f"**{last.name}\n", "\n    ".join(line.rstrip(",") for line in names) + "\n"
    )
    return function


@runtime_checkable
class Reader(Protocol):
    """One input format."""

    name: str

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` holds this format; never raise for other formats."""

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene at ``path``, converted to internal units and checked."""


@runtime_checkable
class MockReader(Protocol):
    """One format of galaxy catalogues."""

    name: str

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` holds this format; never raise for other formats."""

    def read(self, path: Path, options: MockOptions) -> GalaxyCatalog:
        """Return the catalogue at ``path``, a file or a folder, in internal units."""


@runtime_checkable
class Painter(Protocol):
    """Predicts a galaxy for every subhalo.

    The class lists in ``provides`` the columns that its galaxies have beyond those of the halos:
    ``stellar_mass``, ``extrapolated``, and the columns for which ``Distribution.further`` has laws.
    A plug-in may declare a `Column` of its own, which can then be used in cuts, written and read
    back like the built-in ones.

    The class is a frozen dataclass whose fields declare its options with the functions of
    `mockgal.options`: the command line, recipes and the digest of a build's configuration derive
    from them. A function that returns an instance of one of several classes lists them in
    ``option_classes``.

    A painter may also have:

    - ``whole_box``, true if its prediction for a subhalo depends on the subhalos of other hosts;
    - ``tolerance``, within which its predictions for a shifted box agree, if not exactly;
    - ``check``, a method that raises for a scene what ``predict`` would raise, if ``predict`` is
      slow;
    - ``satellites``, a method that returns the `SatelliteLaw` of a scene of hosts, row for row, for
      `mockgal.populate`;
    - ``predicts_hosts``, true if its prediction for a central follows from the columns that all
      halo catalogues have (and vmax, if present). It is then asked for the galaxies of hosts that
      the input lacks, with a catalogue of these columns alone;
    - ``by_mass_alone``, for a painter whose prediction for a central depends on more than that: the
      painter of the mean at each host mass, which is asked in its place;
    - ``record_of``, a method that returns the record of a prediction, and warns of what many
      subhalos lack together. It is called with a scene, whose rows it does not look at, the sum of
      `Distribution.tally` over pieces of a catalogue, and whether all subhalos are hosts. Painters
      that have it paint catalogues that are larger than the memory;
    - ``libraries``, names of distributions on which its numbers depend, beside numpy, scipy and
      numba: mocks record their versions.
    """

    name: str
    needs: frozenset[str]
    provides: tuple[Column, ...]
    references: tuple[str, ...]

    def predict(self, scene: Scene) -> Distribution:
        """Return the prediction, one row for each row of ``scene.halos``; deterministic."""

    def describe(self, scene: Scene) -> dict[str, Any]:
        """Return what identifies the painter for this scene, for the provenance: JSON values.

        ``name`` and ``references`` are required. If the law is complete from a stellar mass on,
        ``luminosity_floor_msun_h`` states it. Everything else is recorded.
        """


@runtime_checkable
class Writer(Protocol):
    """One output format.

    A writer may also have:

    - ``check``, a method that raises a `UsageError` if a library that it needs is not installed: it
      is called before any work;
    - ``compression``: ``"always"`` if its files are compressed, ``"optional"`` if ``write`` takes
      ``compress=True``;
    - ``single_precision``: true if ``write`` takes ``single``, a mapping, which may hold a text
      ``position_rounding``: it then stores columns as `mockgal.precision.choose` says.
    """

    name: str
    extensions: tuple[str, ...]

    def write(
        self,
        galaxies: GalaxyCatalog,
        path: Path,
        *,
        units: str,
        overwrite: bool,
        chunk_rows: int,
        inputs: Iterable[Path] = (),
    ) -> None:
        """Write ``galaxies`` to ``path``, complete and verified, or leave ``path`` untouched.

        Parameters
        ----------
        galaxies : GalaxyCatalog
        path : Path
        units : str
            ``"h-free"`` (Mpc, Msun) or ``"h"`` (Mpc/h, Msun/h).
        overwrite : bool
            Whether a file of that name may be replaced.
        chunk_rows : int
            Rows converted at a time; the content of the file does not depend on it.
        inputs : iterable of Path
            Files that were read; ``path`` must not be one of them.
        """


def check_contents(painter: Painter, scene: Scene) -> None:
    """Raise if a simulation lacks something that a painter needs.

    Raises
    ------
    MissingDatasetError
        Something that the painter needs, such as a density field, is missing.
    """
    missing = sorted(painter.needs - scene.contents)
    if missing:
        raise MissingDatasetError(
            f"simulation {scene.snapshot.name}",
            "no " + " and no ".join(_CONTENTS.get(name, name) for name in missing),
            f"the inputs of painter {painter.name}",
            _MATTER if "field" in missing else "use a simulation that has them",
        )
