"""What a path is that no reader knows: its name and the way out, for the message."""

from __future__ import annotations

import re
from pathlib import Path

import h5py

from ..errors import MockgalError
from ..layout import DENSITY
from . import headers, safe

_GIVE = "give a Gadget-4 catalogue (groups_NNN) or a bundle made by `mockgal pack`"
_NOT_YET = f"this version cannot read it: {_GIVE}"
_HDF5_MAGIC, _FITS_MAGIC = b"\x89HDF", b"SIMPLE  ="
_LOOKED_AT = 16  # files of a folder
_SHOWN = 10  # names in a message


def describe(path: Path) -> tuple[str, str]:
    """What is at ``path``, and what to do.

    Parameters
    ----------
    path : Path
        Exists, and no reader detects it.

    Returns
    -------
    found, fix : str

    Raises
    ------
    MockgalError
        A file that says it is HDF5 but is damaged or unsafe.
    """
    if path.is_file():
        return _file(path)
    if not path.is_dir():
        return "something that is neither a file nor a folder", _GIVE
    entries = sorted(entry for entry in path.iterdir())
    unknown = None
    for entry in [entry for entry in entries if entry.is_file()][:_LOOKED_AT]:
        name, fix = known(entry)
        if name:
            return f"a folder in which {entry.name} is {name}", fix
        unknown = unknown or entry
    listed = ", ".join(entry.name for entry in entries[:_SHOWN]) or "nothing"
    more = ", ..." * (len(entries) > _SHOWN)
    return f"a folder of no known format, holding {listed}{more}", _GIVE


def known(path: Path) -> tuple[str, str]:
    """Name and way out of a format that is recognised; ("", "") for any other file."""
    safe.check_regular(path)
    with open(path, "rb") as file:
        begin = file.read(256)
    if begin.startswith(_HDF5_MAGIC) or path.suffix in (".hdf5", ".h5"):
        with safe.open_hdf5(path) as opened:
            return _hdf5(path, opened)
    if begin.startswith(_FITS_MAGIC):
        return (
            "a FITS file: a mock or a survey, not a simulation",
            "give the simulation that it was made from",
        )
    if begin.startswith(b"#ASDF"):
        return "AbacusSummit (CompaSO) data, in ASDF", _NOT_YET
    first = begin.split(b"\n")[0].decode("utf-8", "replace").lower()
    if re.match(r"#\s*id\s+num_p\b", first):
        return (
            "what one process of Rockstar wrote (halos_N.K.ascii)",
            "give out_N.list, to which Rockstar's util/find_parents added the parents",
        )
    if begin.startswith(b"\x93NUMPY"):
        return "a NumPy array, which says neither units nor cosmology", _GIVE
    return "", ""


def _file(path: Path) -> tuple[str, str]:
    name, fix = known(path)
    if name:
        return name, fix
    with open(path, "rb") as file:
        is_hdf5 = file.read(4) == _HDF5_MAGIC
    if is_hdf5:
        with safe.open_hdf5(path) as opened:
            listed = sorted(safe.members(opened, "/"))
        what = ", ".join(listed[:_SHOWN]) + ", ..." * (len(listed) > _SHOWN)
        return f"an HDF5 file of no known format, holding {what or 'nothing'}", _GIVE
    return f"a file that begins with {safe.first_bytes(path)}", _GIVE


def _hdf5(path: Path, file: h5py.File) -> tuple[str, str]:
    def has(*names: str) -> bool:
        try:
            return any(safe.exists(file, name) for name in names)
        except MockgalError:
            return False

    def attribute(group: str, name: str) -> bool:
        return has(group) and headers.has(file, group, name)

    if has("galaxies"):
        return (
            "a mock that mockgal wrote, not a simulation",
            "give the simulation that it was made from",
        )
    if has("SOAP", "InputHalos"):
        return "a SOAP catalogue of a SWIFT run", _NOT_YET
    if any(has(f"PartType{n}") for n in range(6)):
        number = re.search(r"_(\d{3,})", path.name)
        return (
            "a snapshot: particles without halos",
            f"give the catalogue, groups_{number[1] if number else 'NNN'}, beside which the "
            "snapshot is found",
        )
    if has(DENSITY):
        return (
            "a density grid without halos",
            f"pack it with its catalogue: `mockgal pack CATALOGUE --density {path.name} "
            "--out BUNDLE.hdf5`",
        )
    if attribute("Header", "Ngroups_Total") and not attribute("Header", "Nsubhalos_Total"):
        return (
            "a catalogue of groups without subhalos",
            "give a catalogue with subhalos (fof_subhalo_tab_NNN): run the group finder with "
            "SUBFIND",
        )
    return "", ""
