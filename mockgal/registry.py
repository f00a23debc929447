"""Names of readers, painters, writers and statistics, and the modules that define them.

A class or function is imported on first use, so that listing names costs nothing and a missing
dependency is reported with the way to install it. Third parties add their own through entry points
in the groups ``mockgal.readers`` (of simulations), ``mockgal.mocks`` (readers of galaxy
catalogues), ``mockgal.painters``, ``mockgal.writers`` and ``mockgal.statistics``; a plug-in cannot
take a built-in name.
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
    """Where a class is defined, how to install what it needs, and where a painter's options are.

    The options have their own module if the painter's module is slow to import.
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
        "compaso": Entry("mockgal.readers.compaso.reader:CompasoReader"),
        "quijote": Entry("mockgal.readers.quijote.reader:QuijoteReader"),
        "soap": Entry("mockgal.readers.tables.known.soap:SOAPReader"),
        "uchuu": Entry("mockgal.readers.tables.known.uchuu:UchuuReader"),
        "velociraptor": Entry("mockgal.readers.tables.known.velociraptor:VelociraptorReader"),
        "ahf": Entry("mockgal.readers.tables.known.ahf:AHFReader"),
        "opencosmo": Entry("mockgal.readers.tables.known.opencosmo:OpenCosmoReader"),
        "universemachine": Entry(
            "mockgal.readers.tables.known.universemachine:UniverseMachineReader"
        ),
        "rockstar_binary": Entry(
            "mockgal.readers.tables.known.rockstar_binary:RockstarBinaryReader"
        ),
        "eagle": Entry("mockgal.readers.tables.known.eagle:EagleReader"),
        "bigfile": Entry("mockgal.readers.tables.known.bigfile:BigFileReader"),
        "table": Entry("mockgal.readers.tables.reader:TableReader"),  # tried after all others
    },
    "mocks": {
        "fits": Entry("mockgal.readers.mocks.fits:FITSMocks"),
        "hdf5": Entry("mockgal.readers.mocks.hdf5:HDF5Mocks"),
        "parquet": Entry("mockgal.readers.mocks.parquet:ParquetMocks"),
        "hats": Entry("mockgal.readers.mocks.hats:HATSMocks"),
    },
    "painters": {
        "hod": Entry(
            "mockgal.painters.hod.choice:hod_painter", options="mockgal.painters.hod.options:KINDS"
        ),
        "cnn": Entry(
            "mockgal.painters.cnn.painter:CNNPainter",
            options="mockgal.painters.cnn.options:CNNOptions",
        ),
        "sham": Entry(
            "mockgal.painters.sham.painter:SHAMPainter",
            options="mockgal.painters.sham.options:SHAMOptions",
        ),
        "smhm": Entry(
            "mockgal.painters.sham.relation_painter:RelationPainter",
            options="mockgal.painters.sham.options:RelationOptions",
        ),
    },
    "writers": {
        "fits": Entry("mockgal.writers.fits:FITSWriter"),
        "hdf5": Entry("mockgal.writers.hdf5:HDF5Writer"),
        "parquet": Entry("mockgal.writers.parquet:ParquetWriter"),
        "fits.gz": Entry("mockgal.writers.fits_gz:GzippedFITSWriter"),
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
        "cross_power": Entry("mockgal.statistics.power.cross:cross_power"),
        "cross_xi": Entry("mockgal.statistics.pairs.cross:cross_correlation"),
        "cross_wp": Entry("mockgal.statistics.pairs.cross:projected_cross_correlation"),
        "w_theta": Entry("mockgal.statistics.sky.angular:angular_correlation_on_the_sky"),
        "sky_wp": Entry("mockgal.statistics.sky.correlation:projected_correlation_on_the_sky"),
        "sky_xi_multipoles": Entry(
            "mockgal.statistics.sky.correlation:correlation_multipoles_on_the_sky"
        ),
        "sky_xi_wedges": Entry("mockgal.statistics.sky.correlation:correlation_wedges_on_the_sky"),
        "sky_power": Entry("mockgal.statistics.sky.power:power_on_the_sky"),
        "sky_window": Entry("mockgal.statistics.sky.window:window_on_the_sky"),
    },
}


# The interface of each group. A statistic is a function.
_PROTOCOLS: dict[str, type] = {
    "readers": Reader,
    "mocks": MockReader,
    "painters": Painter,
    "writers": Writer,
}


def built_in(group: str) -> tuple[str, ...]:
    """Return the names in ``group`` that this package defines."""
    return tuple(_BUILT_IN[group])


def names(group: str) -> tuple[str, ...]:
    """Return the names in ``group`` ("readers", "mocks", "painters", "writers", "statistics").

    Built-in ones come first.
    """
    return tuple(dict.fromkeys((*_BUILT_IN[group], *plugins(group))))


def is_built_in(group: str, name: str) -> bool:
    """Return whether this package, not a plug-in, defines a name."""
    return name in _BUILT_IN[group]


def load(group: str, name: str) -> Any:
    """Return the class or function called ``name`` in ``group``.

    Raises
    ------
    UsageError
        There is no such name, and the message lists the names; or its module cannot be imported.
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
    """Return the first line of the docstring of a class or function, without the full stop.

    Raises
    ------
    UsageError
        See `load`.
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
        See `load`; or the options of a plug-in cannot be read.
    """
    entry = _BUILT_IN["painters"].get(name)
    if entry is not None and entry.options:
        return option_groups(_imported(entry.options))
    painter = load("painters", name)
    with guarded("painters", name, "looking at its options"):
        return option_groups(painter)


def options_of_plugins() -> Iterator[tuple[str, OptionGroups]]:
    """Yield the name and options of each plug-in painter; warn of those whose options fail."""
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
        See `load`; or a plug-in raises when called, or its object lacks part of the interface.
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
    """Yield the name and object of every member of ``group`` that works.

    Readers and writers are instances (see `make`); painters, which have options, and statistics are
    only loaded (see `load`). A plug-in that does not work, or that has a built-in name, is left out
    with a warning.
    """
    for name in _BUILT_IN[group]:
        yield name, _made_or_loaded(group, name)
    for name, same in plugins(group).items():
        if name in _BUILT_IN[group]:
            for plugin in same:
                tell(f"{plugin} is left out: mockgal has a {plugin.kind} of that name itself")
            continue
        try:
            yield name, _made_or_loaded(group, name)
        except MockgalError as error:
            tell(f"a plug-in is left out: {error}")


def knows(group: str, name: str, reader: Any, path: Path) -> bool:
    """Return whether ``path`` is in a reader's format; False with a warning if a plug-in fails."""
    try:
        with guarded(group, name, f"looking at {path}"):
            return bool(reader.detect(path))
    except UsageError as error:
        tell(f"a plug-in is left out: {error}")
        return False


def _made_or_loaded(group: str, name: str) -> Any:
    return make(group, name) if group in ("readers", "mocks", "writers") else load(group, name)


def _plugin(group: str, name: str) -> Plugin:
    """Return the plug-in of a name, of which there must be only one."""
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
