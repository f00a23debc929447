"""Names of readers, painters, writers and statistics, and where they live.

A class or function is imported when it is first asked for, so that listing names costs nothing and
a missing dependency is reported with the way to install it. Third parties add theirs through entry
points in the groups ``mockgal.readers``, ``mockgal.painters``, ``mockgal.writers`` and
``mockgal.statistics``.
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
        "quijote": Entry("mockgal.read.quijote:QuijoteReader"),
    },
    "painters": {
        "hod": Entry("mockgal.paint.hod_choice:hod_painter"),
        "cnn": Entry("mockgal.paint.cnn:CNNPainter"),
    },
    "writers": {
        "fits": Entry("mockgal.write.fits:FITSWriter"),
        "hdf5": Entry("mockgal.write.hdf5:HDF5Writer"),
    },
    "statistics": {
        "power": Entry("mockgal.measure.power:power_spectrum"),
        "bispectrum": Entry("mockgal.measure.bispectrum:bispectrum"),
        "pdf": Entry("mockgal.measure.pdf:voxel_pdf"),
        "mass_function": Entry("mockgal.measure.mass_function:stellar_mass_function"),
        "stellar_to_halo": Entry("mockgal.measure.stellar_to_halo:stellar_to_halo_relation"),
        "occupation": Entry("mockgal.measure.occupation:occupation"),
        "satellite_fraction": Entry("mockgal.measure.satellites:satellite_fraction"),
        "xi": Entry("mockgal.measure.correlation:correlation_function"),
        "wp": Entry("mockgal.measure.correlation:projected_correlation_function"),
        "xi_multipoles": Entry("mockgal.measure.correlation:correlation_multipoles"),
    },
}


def names(group: str) -> tuple[str, ...]:
    """Names in ``group`` ("readers", "painters", "writers", "statistics"), built-in ones first."""
    found = list(_BUILT_IN[group])
    found += [point.name for point in entry_points(group=f"mockgal.{group}")]
    return tuple(dict.fromkeys(found))


def load(group: str, name: str) -> Any:
    """What is called ``name`` in ``group``: a class, or a statistic's function.

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
