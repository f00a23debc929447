"""Names of readers, painters, writers and statistics, and where they live.

A class or function is imported when it is first asked for, so that listing names costs nothing and
a missing dependency is reported with the way to install it. Third parties add theirs through entry
points in the groups ``mockgal.readers`` (of simulations), ``mockgal.mocks`` (readers of catalogues
of galaxies), ``mockgal.painters``, ``mockgal.writers`` and ``mockgal.statistics``; a plug-in cannot
take the name of a built-in one.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from .errors import MockgalError, UsageError
from .options import OptionGroups, option_groups
from .protocols import MockReader, Painter, Reader, Writer
from .system.plugins import Plugin, kind, plugins, tell


class Entry(NamedTuple):
    """Where a class lives, how to install what it needs, and where the options of a painter are.

    Those are in a module of their own where that of the painter takes a while to import.
    """

    target: str
    install_hint: str = ""
    options: str = ""


# Readers are tried in this order when the format is detected.
_BUILT_IN: dict[str, dict[str, Entry]] = {
    "readers": {
        "bundle": Entry("mockgal.readers.bundle:BundleReader"),
        "gadget4": Entry("mockgal.readers.subfind.gadget4:Gadget4Reader"),
        "halotools": Entry("mockgal.readers.halotools.reader:HalotoolsReader"),
        "arepo": Entry("mockgal.readers.subfind.arepo:ArepoReader"),
        "rockstar": Entry("mockgal.readers.rockstar.reader:RockstarReader"),
        "quijote": Entry("mockgal.readers.quijote.reader:QuijoteReader"),
    },
    "mocks": {
        "fits": Entry("mockgal.readers.mocks.fits:FITSMocks"),
        "hdf5": Entry("mockgal.readers.mocks.hdf5:HDF5Mocks"),
    },
    "painters": {
        "hod": Entry(
            "mockgal.painters.hod.choice:hod_painter", options="mockgal.painters.hod.options:KINDS"
        ),
        "cnn": Entry(
            "mockgal.painters.cnn.painter:CNNPainter",
            options="mockgal.painters.cnn.options:CNNOptions",
        ),
    },
    "writers": {
        "fits": Entry("mockgal.writers.fits:FITSWriter"),
        "hdf5": Entry("mockgal.writers.hdf5:HDF5Writer"),
    },
    "statistics": {
        "power": Entry("mockgal.statistics.power.spectrum:power_spectrum"),
        "bispectrum": Entry("mockgal.statistics.bispectrum.estimator:bispectrum"),
        "pdf": Entry("mockgal.statistics.pdf:voxel_pdf"),
        "mass_function": Entry("mockgal.statistics.galaxies.mass_function:stellar_mass_function"),
        "stellar_to_halo": Entry(
            "mockgal.statistics.galaxies.stellar_to_halo:stellar_to_halo_relation"
        ),
        "occupation": Entry("mockgal.statistics.galaxies.occupation:occupation"),
        "satellite_fraction": Entry("mockgal.statistics.galaxies.satellites:satellite_fraction"),
        "xi": Entry("mockgal.statistics.pairs.correlation:correlation_function"),
        "wp": Entry("mockgal.statistics.pairs.correlation:projected_correlation_function"),
        "xi_multipoles": Entry("mockgal.statistics.pairs.correlation:correlation_multipoles"),
    },
}


# What an object of each group must have. A statistic is a function.
_PROTOCOLS: dict[str, type] = {
    "readers": Reader,
    "mocks": MockReader,
    "painters": Painter,
    "writers": Writer,
}


def built_in(group: str) -> tuple[str, ...]:
    """Return the names in ``group`` that are of this package."""
    return tuple(_BUILT_IN[group])


def names(group: str) -> tuple[str, ...]:
    """Names in ``group`` ("readers", "mocks", "painters", "writers", "statistics").

    Built-in ones come first.
    """
    return tuple(dict.fromkeys((*_BUILT_IN[group], *plugins(group))))


def is_built_in(group: str, name: str) -> bool:
    """Return whether a name is of this package, and not of a plug-in."""
    return name in _BUILT_IN[group]


def load(group: str, name: str) -> Any:
    """Return what is called ``name`` in ``group``: a class, or a function.

    Raises
    ------
    UsageError
        No such name, or its module cannot be imported; the message lists what there is.
    """
    if name not in _BUILT_IN[group]:
        plugin = _plugin(group, name)
        loaded = plugin.load()
        if not callable(loaded):
            raise _wrong(plugin, group, f"a {type(loaded).__name__}")
        return loaded
    entry = _BUILT_IN[group][name]
    try:
        return _imported(entry.target)
    except ImportError as error:
        raise UsageError(
            f"{kind(group)} {name}",
            f"an import that fails ({error})",
            "its requirements installed",
            entry.install_hint or "reinstall mockgal",
        ) from error


def summary(group: str, name: str) -> str:
    """Return the first line of the docstring of what is called ``name``, without the full stop.

    Raises
    ------
    UsageError
        As of `load`.
    """
    lines = (inspect.getdoc(load(group, name)) or "").splitlines()
    return lines[0].removesuffix(".") if lines else ""


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def painter_options(name: str) -> OptionGroups:
    """Return the options of the painter ``name``: see `mockgal.options.option_groups`.

    Raises
    ------
    UsageError
        As of `load`; or a plug-in whose options cannot be looked at.
    """
    entry = _BUILT_IN["painters"].get(name)
    if entry is not None and entry.options:
        return option_groups(_imported(entry.options))
    painter = load("painters", name)
    with guarded("painters", name, "looking at its options"):
        return option_groups(painter)


def options_of_plugins() -> Iterator[tuple[str, OptionGroups]]:
    """Yield the name and the options of each painter of a plug-in; one that has none is told of."""
    for name in plugins("painters"):
        if name not in _BUILT_IN["painters"]:
            try:
                yield name, painter_options(name)
            except MockgalError as error:
                tell(f"a plug-in is left out: {error}")


def make(group: str, name: str, **options: Any) -> Any:
    """Return the reader, painter or writer called ``name``.

    Raises
    ------
    UsageError
        As of `load`; or a plug-in that cannot be made, or lacks what its group asks for.
    """
    factory = load(group, name)
    with guarded(group, name, "making it"):
        made = factory(**options)
    if name in _BUILT_IN[group]:
        return made
    protocol = _PROTOCOLS[group]
    promised = (*protocol.__annotations__, *vars(protocol))
    lacking = [key for key in promised if key[0] != "_" and not hasattr(made, key)]
    if lacking:
        found = f"a {type(made).__name__} without {', '.join(lacking)}"
        raise _wrong(_plugin(group, name), group, found)
    return made


def guarded(group: str, name: str, doing: str) -> AbstractContextManager[None]:
    """Return a context in which a plug-in's own exceptions become a `UsageError` that names it."""
    if name in _BUILT_IN[group]:
        return nullcontext()
    return _plugin(group, name).guarded(doing)


def working(group: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and object of all that can be had of ``group``: see `make`, `load`.

    Readers and writers are made; painters, which have options, and statistics are loaded only. A
    plug-in that does not work is warned of and left out, and so is one that has a built-in name.
    """
    for name in _BUILT_IN[group]:
        yield name, _had(group, name)
    for name, same in plugins(group).items():
        if name in _BUILT_IN[group]:
            for plugin in same:
                tell(f"{plugin} is left out: mockgal has a {plugin.kind} of that name itself")
            continue
        try:
            yield name, _had(group, name)
        except MockgalError as error:
            tell(f"a plug-in is left out: {error}")


def knows(group: str, name: str, reader: Any, path: Path) -> bool:
    """Return whether ``path`` is of a reader's format; no, with a warning, if a plug-in fails."""
    try:
        with guarded(group, name, f"looking at {path}"):
            return bool(reader.detect(path))
    except UsageError as error:
        tell(f"a plug-in is left out: {error}")
        return False


def _had(group: str, name: str) -> Any:
    return make(group, name) if group in ("readers", "mocks", "writers") else load(group, name)


def _plugin(group: str, name: str) -> Plugin:
    """Return the only plug-in of a name."""
    same = plugins(group).get(name, ())
    if not same:
        raise UsageError(kind(group), repr(name), "one of " + ", ".join(names(group)))
    if len(same) > 1:
        raise UsageError(
            f"{kind(group)} {name}",
            "several plug-ins of that name: " + "; ".join(map(str, same)),
            "one",
            "uninstall the others",
        )
    return same[0]


def _wrong(plugin: Plugin, group: str, found: str) -> UsageError:
    expected = "a function of a catalogue"
    if group in _PROTOCOLS:
        expected = f"a class with what mockgal.protocols.{_PROTOCOLS[group].__name__} has"
    return UsageError(str(plugin), found, expected, plugin.fix)
