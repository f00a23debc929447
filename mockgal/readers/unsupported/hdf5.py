"""Description of an HDF5 file that no reader recognises, from the names in it."""

from __future__ import annotations

import re
from pathlib import Path

import h5py

from ...errors import MockgalError, in_python, in_shell
from ...layout import DENSITY
from ..hdf5 import headers, safe
from . import signatures
from .signatures import Look

MAGIC = b"\x89HDF"
_SHOWN = 10  # names in a message
_LOOKED_AT = 64  # datasets of a group
_COLUMNS = 4  # datasets of equal length that make a table
GIVE_ORIGINAL = "give the simulation that it was made from"
_ONE_OUTPUT = "give the catalogue of one output of the run, fof_subhalo_tab_NNN.hdf5 or groups_NNN"
# Names of which the file has one, what it is, and what to do; the first match counts.
_KINDS = (
    (("galaxies",), "a mock that mockgal wrote, not a simulation", GIVE_ORIGINAL),
    (
        ("TreeHalos", "TreeTable", "Subhalo/TreeID", "TreeTimes"),
        "merger trees of Gadget-4, or links into them",
        _ONE_OUTPUT,
    ),
    (("Tree0", "SubhaloIDRaw", "DescendantID"), "merger trees (LHaloTree, SubLink)", _ONE_OUTPUT),
)


def describe_hdf5(path: Path, file: h5py.File) -> Look:
    """Return what an HDF5 file is, and what to do.

    Parameters
    ----------
    path : Path
    file : File
        The file, opened with `safe.open_hdf5`.
    """

    def has(name: str) -> bool:
        try:
            return bool(safe.exists(file, name))
        except MockgalError:
            return False

    load = table_with_h5py(path)
    if _attribute(file, "Header", "Code") == "SWIFT":
        return Look(
            "a snapshot of SWIFT: particles without halos",
            f"give its halos as a table: {load}",
        )
    for names, what, fix in _KINDS:
        if any(map(has, names)):
            return Look(what, fix)
    if has("Num_of_groups") and has("File_id") and not has("hostHaloID"):
        return Look(
            "a file of VELOCIraptor without the properties of its halos",
            "give NAME.properties, or NAME.properties.0 of several",
        )
    if any(has(f"PartType{n}") for n in range(6)):
        number = re.search(r"_(\d{3,})", path.name)
        return Look(
            "a snapshot: particles without halos",
            f"give the catalogue, groups_{number[1] if number else 'NNN'}, and its snapshot is "
            "found beside it; give halos of another format with --sim, and this snapshot with "
            f"--matter {in_shell(path)}; without halos, run a halo finder on it",
        )
    if has(DENSITY):
        return Look(
            "a density grid without halos",
            f"pack it with its catalogue: `mockgal pack --sim CATALOGUE --matter {in_shell(path)} "
            "--out BUNDLE.hdf5`",
        )
    if _attribute(file, "Header", "Ngroups_Total") is not None and not any(
        _attribute(file, "Header", f"{name}_Total") is not None
        for name in ("Nsubhalos", "Nsubgroups")
    ):
        return Look(
            "a catalogue of groups without subhalos",
            "give a catalogue with subhalos (fof_subhalo_tab_NNN): run the group finder with "
            "SUBFIND",
        )
    listed = sorted(safe.members(file, "/"))
    for name in listed[:_SHOWN]:
        if _attribute(file, name, "pandas_type") is not None:
            return Look(
                f"a table that pandas wrote, under {name}",
                signatures.table(
                    f"pandas.read_hdf({in_python(path)}, {in_python(name, 'NAME')})", unpickles=True
                ),
                True,
            )
    if place := _table(file, listed):
        return Look(f"a table in HDF5, {place}", load, True)
    what = ", ".join(listed[:_SHOWN]) + ", ..." * (len(listed) > _SHOWN)
    found = f"an HDF5 file of no known format, holding {what or 'nothing'}"
    return Look(found, signatures.OTHERWISE, True)


def table_with_h5py(path: Path) -> str:
    """Return how to convert columns in HDF5."""
    return signatures.table(f"h5py.File({in_python(path)})")


def _attribute(file: h5py.File, group: str, name: str) -> object:
    try:
        value = headers.attribute(file, group, name, None)
    except MockgalError:
        return None
    return value[0] if isinstance(value, list) and value else value


def _table(file: h5py.File, listed: list[str]) -> str:
    """Return where columns of equal length, or a dataset of named fields, are; "" if nowhere."""
    for group in ("", *listed[:_SHOWN]):
        try:
            names = listed if not group else sorted(safe.members(file, group))
            found = [safe.dataset(file, f"{group}/{n}".strip("/")) for n in names[:_LOOKED_AT]]
        except MockgalError:
            found = []
        lengths = {data.shape[0] for data in found if data.ndim}
        if len(found) >= _COLUMNS and len(lengths) == 1:
            return f"columns of /{group}"
    for name in listed[:_SHOWN]:
        try:
            fields = safe.dataset(file, name, records=True).dtype.names
        except MockgalError:
            continue
        if fields:
            return f"the fields of /{name}"
    return ""
