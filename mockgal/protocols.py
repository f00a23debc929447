"""What readers, painters and writers must offer, and what a user may tell a reader."""

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

_MATTER = "give --density FILE, a grid of its matter, or keep its snapshot beside the catalogue"
_CONTENTS = {"field": "particles or density grid"}  # of a scene, in words

# What functions take first, in words, and the function that reads one.
_OBJECTS: dict[type, tuple[str, str]] = {
    Scene: ("a simulation", "read"),
    GalaxyCatalog: ("a catalogue of galaxies", "read_galaxies"),
}


def takes(kind: type) -> Callable[[F], F]:
    """Return a decorator: the function's first argument is of ``kind``, Scene or GalaxyCatalog.

    A path in its place is a `UsageError` that says how to read it.
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
    """What a user may tell a reader.

    Parameters
    ----------
    mass_definition : str or None
        Which host mass to read; None takes the reader's documented choice, recorded.
    drop_bad : bool
        Drop rows with values that cannot be, such as NaN, instead of refusing the file, centrals
        whose host mass is zero, and halos that are there again under another id. Where most rows
        are so, it is refused all the same.
    orphans : str
        ``"refuse"``, ``"drop"`` or ``"central"``: satellites whose host is not in the catalogue.
    centred_origin : bool
        Positions are in [-L/2, L/2) and are wrapped to [0, L).
    allow_empty_regions : bool
        Accept a box of which a part holds no halo, where voids cannot be the reason.
    allow_missing_chunks : bool
        Read a multi-file catalogue of which files are missing: the groups whose subhalos are all
        there. The rest is counted.
    stellar_mass_definition : str or None
        Which stars of a hydrodynamic run are counted, a key of
        `mockgal.types.STELLAR_MASS_DEFINITIONS`; None takes all bound ones, recorded.
    h, omega_m, omega_lambda, w0, wa : float or None
        Cosmology, for files that do not state it.
    box_size, redshift : float or None
        Side of the box [comoving Mpc/h] and redshift, for files that do not state them.
    particle_mass : float or None
        Mass of a particle of dark matter [Msun/h], for files that do not state it.
    chunk_rows : int
        Rows read at a time.
    """

    mass_definition: str | None = None
    drop_bad: bool = False
    orphans: str = "refuse"
    centred_origin: bool = False
    allow_empty_regions: bool = False
    allow_missing_chunks: bool = False
    stellar_mass_definition: str | None = None
    h: float | None = None
    omega_m: float | None = None
    omega_lambda: float | None = None
    w0: float | None = None
    wa: float | None = None
    box_size: float | None = None
    redshift: float | None = None
    particle_mass: float | None = None
    chunk_rows: int = 1 << 20


class MockOptions(NamedTuple):
    """What a user may tell a reader of mocks.

    Parameters
    ----------
    columns : tuple of str or None
        Names of `mockgal.columns.GALAXY_COLUMNS` to read beside the ids; None for all. Others that
        are read nevertheless are dropped.
    chunk_rows : int
        Rows held beside the result, which does not depend on it.
    changed_by_hand : str or None
        Why the file is not as mockgal wrote it; None for plug-ins.
    """

    columns: tuple[str, ...] | None = None
    chunk_rows: int = 1 << 16
    changed_by_hand: str | None = None


def read_options(arguments: Mapping[str, Any]) -> ReadOptions:
    """Return the options of reading that are among the arguments of a function."""
    return ReadOptions(**{name: arguments[name] for name in ReadOptions._fields})


def spelled_out(function: F) -> F:
    """Show the options of reading, which ``function`` takes as ``**options``, one by one.

    In its signature, for `help` and for completion, and in its docstring.
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
        """Whether the content at ``path`` is this format; never raises for other formats."""

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """The scene at ``path``, converted to internal units and checked."""


@runtime_checkable
class MockReader(Protocol):
    """One format of catalogues of galaxies."""

    name: str

    def detect(self, path: Path) -> bool:
        """Whether the content at ``path`` is this format; never raises for other formats."""

    def read(self, path: Path, options: MockOptions) -> GalaxyCatalog:
        """The catalogue at ``path``, a file or a folder, in internal units."""


@runtime_checkable
class Painter(Protocol):
    """Predicts a galaxy for every subhalo.

    One whose prediction for a subhalo depends on those of other hosts has a true ``whole_box``; one
    whose predictions for a box that is shifted agree to within some number only, a ``tolerance``;
    one that takes its time, a method ``check``, which raises for a scene what ``predict`` would.
    One that can say which satellites hosts have has a method ``satellites`` (`SatelliteLaw` of a
    scene of hosts, row for row), for `mockgal.populate`.

    Its class lists in ``provides`` the columns that its galaxies have beyond those of the halos:
    ``stellar_mass``, ``extrapolated``, and those that ``Distribution.further`` has laws of. A
    plug-in may bring a `Column` of its own, which is then cut on, written and read back like ours.

    One whose prediction for a central follows from the columns that all halo catalogues have (and
    vmax, where there is one), has a true ``predicts_hosts``: it is asked for the galaxies of hosts
    that the input lacks, on a catalogue of nothing but these columns.

    Its class is a frozen dataclass whose fields declare its options by the functions of
    `mockgal.options`: command line, recipes and the digest of a build's configuration derive from
    them. A function that makes one of several classes lists them in ``option_classes``.
    """

    name: str
    needs: frozenset[str]
    provides: tuple[Column, ...]
    references: tuple[str, ...]

    def predict(self, scene: Scene) -> Distribution:
        """The prediction, row for row of ``scene.halos``; deterministic."""

    def describe(self, scene: Scene) -> dict[str, Any]:
        """What identifies the painter for this scene, for the provenance: JSON values only."""


@runtime_checkable
class Writer(Protocol):
    """One output format."""

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
        """Write ``galaxies`` to ``path``, whole and verified or not at all.

        Parameters
        ----------
        galaxies : GalaxyCatalog
        path : Path
        units : str
            ``"h-free"`` (Mpc, Msun) or ``"h"`` (Mpc/h, Msun/h).
        overwrite : bool
            Whether a file of that name may be replaced.
        chunk_rows : int
            Rows converted at a time; the file does not depend on it.
        inputs : iterable of Path
            Files that were read, none of which may be ``path``.
        """


def check_contents(painter: Painter, scene: Scene) -> None:
    """Raise if a simulation lacks what a painter needs.

    Raises
    ------
    MissingDatasetError
        It does.
    """
    missing = sorted(painter.needs - scene.contents)
    if missing:
        raise MissingDatasetError(
            f"simulation {scene.snapshot.name}",
            "no " + " and no ".join(_CONTENTS.get(name, name) for name in missing),
            f"what painter {painter.name} paints by",
            _MATTER if "field" in missing else "give a simulation that has it",
        )
