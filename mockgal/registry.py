"""Names of readers, painters and writers, and where their classes live.

A class is imported when it is first asked for, so that listing names costs nothing and a missing
dependency is reported with the way to install it. Third parties add theirs through entry points
in the groups ``mockgal.readers``, ``mockgal.painters`` and ``mockgal.writers``.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from .errors import UsageError


class Entry(NamedTuple):
    """Where a class lives, and how to install what it needs."""

    target: str
    install_hint: str = ""


# Readers are tried in this order when the format is detected.
_BUILT_IN: dict[str, dict[str, Entry]] = {
    "readers": {
        "bundle": Entry("mockgal.read.bundle:BundleReader"),
        "gadget4": Entry("mockgal.read.gadget4:Gadget4Reader"),
        "halotools": Entry("mockgal.read.halotools:HalotoolsReader"),
        "arepo": Entry("mockgal.read.arepo:ArepoReader"),
        "rockstar": Entry("mockgal.read.rockstar:RockstarReader"),
    },
    "painters": {
        "hod": Entry("mockgal.paint.hod:HODPainter"),
    },
    "writers": {
        "fits": Entry("mockgal.write.fits:FITSWriter"),
        "hdf5": Entry("mockgal.write.hdf5:HDF5Writer"),
    },
}


def names(group: str) -> tuple[str, ...]:
    """Names in ``group`` ("readers", "painters" or "writers"), built-in ones first."""
    found = list(_BUILT_IN[group])
    found += [point.name for point in entry_points(group=f"mockgal.{group}")]
    return tuple(dict.fromkeys(found))


def load(group: str, name: str) -> Any:
    """The class called ``name`` in ``group``.

    Raises
    ------
    UsageError
        No such name, or its module cannot be imported; the message lists what there is.
    """
    entry = _BUILT_IN[group].get(name)
    if entry is None:
        for point in entry_points(group=f"mockgal.{group}", name=name):
            entry = Entry(point.value, f"see the documentation of {point.value.split(':')[0]}")
    if entry is None:
        raise UsageError(group[:-1], repr(name), "one of " + ", ".join(names(group)))
    module, _, attribute = entry.target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        raise UsageError(
            f"{group[:-1]} {name}",
            f"an import that fails ({error})",
            "its requirements installed",
            entry.install_hint or "reinstall mockgal",
        ) from error
