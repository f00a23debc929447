"""Description of a file that no reader recognises, from its first bytes; nothing is loaded.

`KINDS` is the one table of magic bytes and of first lines of texts. In a fix, ``{path}`` stands for
the path quoted for Python, ``{name}`` quoted for a shell, and ``{new}`` for a new file's name.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import NamedTuple

from ...errors import in_python, in_shell
from ..rockstar.head import kind_of

LOOKED_AT = 1 << 14  # bytes at the beginning of a file
PAGE = "docs/how-to/tables.md"
_COLUMNS = "halo_id=ID, position=X Y Z [Mpc/h], velocity=VX VY VZ [km/s], host_mass=M [Msun/h]"
OTHERWISE = (
    "give a halo catalogue in one of these formats, or its columns as a table (CSV, FITS, Parquet, "
    f"HDF5) with --columns: {PAGE}"
)


def table(load: str, *, unpickles: bool = False) -> str:
    """Return how to read a table that the Python expression ``load`` loads.

    ``unpickles`` tells that loading it may run code in the file.
    """
    return (
        "if you trust its source (loading it may run code in it), "
        * unpickles
        + f"load it in Python and pass the table to mockgal: t = {load}; "
        f'sim = mockgal.read(t, columns="{_COLUMNS}", mass_definition="200m", box_size="1000 Mpc/h"'
        f", redshift=..., h=..., omega_m=..., omega_lambda=...). {PAGE} shows it line by line"
    )


def columns(path: str = "{name}") -> str:
    """Return how to read the columns of a file as a table, whatever its format is called."""
    return f'say what its columns are: --sim {path} --format table --columns "{_COLUMNS}". {PAGE}'


def _unpacked(command: str) -> str:
    return f"unpack it with `{command}`, and give the unpacked file"


_ASTROPY = table('astropy.table.Table.read({path}, format="{format}")')
_BUT_PARTICLES = (
    "give its halos with --sim, and these particles with --matter {name}; without halos, run a "
    "halo finder on it (Rockstar, or FOF and SUBFIND of Gadget-4)"
)
_TREES = (
    "give the halos of one time: hlists/hlist_A.list, which halo_trees_to_catalog.pl of "
    "consistent-trees makes from the trees"
)


class Look(NamedTuple):
    """What a file looks like, what to do with it, and whether it may be a table of columns."""

    what: str
    fix: str
    is_table: bool = False


class Kind(NamedTuple):
    """A kind of file: how it begins, what it is, and what to do with it.

    Parameters
    ----------
    begin : bytes or str
        Magic bytes, or a regular expression for the first line that ignores case.
    what, fix : str
    offset : int
        Offset of the magic bytes.
    format : str
        Astropy's name for a table of this kind.
    is_table : bool
        Whether the reader of tables may read it.
    """

    begin: bytes | str
    what: str
    fix: str
    offset: int = 0
    format: str = ""
    is_table: bool = False


GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
KINDS = (
    # Archives
    Kind(
        b"BZh", "a file compressed with bzip2", _unpacked("bzip2 -dc {name} > {new}"), is_table=True
    ),
    Kind(
        b"\xfd7zXZ\0",
        "a file compressed with xz",
        _unpacked("xz -dc {name} > {new}"),
        is_table=True,
    ),
    Kind(b"\x28\xb5\x2f\xfd", "a file compressed with zstd", _unpacked("zstd -dc {name} > {new}")),
    Kind(b"\x04\x22\x4d\x18", "a file compressed with lz4", _unpacked("lz4 -dc {name} > {new}")),
    Kind(b"7z\xbc\xaf\x27\x1c", "a 7z archive", _unpacked("7z x {name}")),
    Kind(b"ustar", "a tar archive", _unpacked("tar -xf {name}"), 257),
    # Tables
    Kind(b"SIMPLE  =", "a FITS file", _ASTROPY, format="fits", is_table=True),
    Kind(b"PAR1", "a Parquet table", table("pandas.read_parquet({path})"), is_table=True),
    Kind(b"ARROW1", "an Arrow (Feather) table", table("pandas.read_feather({path})")),
    Kind(
        b"\x93NUMPY",
        "a NumPy array without names of columns",
        table('dict(zip(["ID", "X", "Y", "Z", "VX", "VY", "VZ", "M"], numpy.load({path}).T))'),
        is_table=True,
    ),
    Kind(r"# %ECSV", "an ECSV table", _ASTROPY, format="ascii.ecsv", is_table=True),
    Kind(b"SQLite format 3\0", "an SQLite database", table('pandas.read_sql("SELECT ...", ...)')),
    # Simulations that are not read
    Kind(
        b"#ASDF",
        "ASDF, but no halos of CompaSO",
        "give halo_info_NNN.asdf of the simulation, its folder halo_info or the folder zX.XXX "
        "above it; particles and cleaning are found from there",
    ),
    Kind(b"\x01\x01\x01\x01\x78\x56\x34\x12", "halos of Rockstar in BGC2", ""),
    Kind(b"HACC01", "HACC's GenericIO", table("pygio.read_genericio({path})")),
    Kind(b"\x08\0\0\0HEAD", "a Gadget snapshot in binary, of format 2", _BUT_PARTICLES),
    Kind(b"\0\0\0\x08HEAD", "a Gadget snapshot in binary, of format 2", _BUT_PARTICLES),
    Kind(b"\0\1\0\0", "what may be a Gadget snapshot in binary, of format 1", _BUT_PARTICLES),
    Kind(
        r"#\s*id\s+num_p\b",
        "the output of one process of Rockstar (halos_N.K.ascii)",
        "give out_N.list, after `find_parents out_N.list BOX_SIZE > NEW` of Rockstar's util/ added "
        "the parents",
    ),
    Kind(r"#\s*treerootid\b", "an index of merger trees of consistent-trees", _TREES),
    Kind(r"#\s*scale\(0\)\s+desc", "merger trees of consistent-trees", _TREES),
    Kind(
        r"#\s*npart\(1\)",
        "halos of an old version of AHF, without ids and hosts",
        table('astropy.table.Table.read({path}, format="ascii")'),
    ),
    # Nothing to paint on
    Kind(b"\x80\x02", "a Python pickle, which is never loaded", OTHERWISE),
    Kind(b"\x80\x03", "a Python pickle, which is never loaded", OTHERWISE),
    Kind(b"\x80\x04", "a Python pickle, which is never loaded", OTHERWISE),
    Kind(b"\x80\x05", "a Python pickle, which is never loaded", OTHERWISE),
    Kind(b"\x89PNG", "a picture (PNG)", OTHERWISE),
    Kind(b"\xff\xd8\xff", "a picture (JPEG)", OTHERWISE),
    Kind(b"GIF8", "a picture (GIF)", OTHERWISE),
    Kind(b"II*\0", "a picture (TIFF)", OTHERWISE),
    Kind(b"%PDF", "a PDF document", OTHERWISE),
    Kind(
        r"\s*<(!doctype html|html)",
        "a web page",
        "download the file again: a server sent a page in its place, often a login page",
    ),
)
_ROCKSTAR_BINARY = (
    "give out_N.list, which Rockstar writes beside it, after `find_parents out_N.list BOX_SIZE > "
    "NEW` of its util/ added the parents"
)
_MARK = "\ufeff"
_XML = re.compile(r"\s*<\?xml|\s*<votable", re.I)
_SEPARATORS = {",": ("commas", "ascii.csv"), "\t": ("tabs", "ascii.tab")}


def looks(path: Path) -> Look:
    """Return what a file is by its first bytes, and what to do; both are "" if unknown."""
    with open(path, "rb") as file:
        begin = file.read(LOOKED_AT)
    look = _of(begin, cut=len(begin) == LOOKED_AT)
    new = re.sub(r"\.(gz|bz2|xz|zst|lz4)$", "", str(path))
    while Path(new).exists():
        new += ".new"
    words = {"path": in_python(path), "name": in_shell(path), "new": in_shell(new, "NEW")}
    # Replace all in one step, because the name may contain such words.
    fix = re.sub(r"\{(path|name|new)\}", lambda word: words[word[1]], look.fix)
    return look._replace(fix=fix)


# Files that mockgal writes and that are no simulations: how they begin, and a mark that follows.
_START = 32
_OWN = (
    (
        b"%ECSV",
        b"mockgal HOD calibration",
        "a calibration of mockgal",
        "give the simulation, and this with --calibration {name}",
    ),
    (
        b"%ECSV",
        b"mockgal covariance",
        "a covariance that mockgal wrote",
        "`mockgal.read_covariance({path})` in Python reads it and has `.plot()`; here, give a "
        "simulation or a mock",
    ),
    (
        b"%ECSV",
        b"mockgal ensemble",
        "the manifest of several mocks",
        "`mockgal measure {name} --statistic NAMES --out FOLDER` measures all; here, give one of "
        "the files that it names",
    ),
    (
        b"%ECSV",
        b"mockgal measurement",
        "a measurement that mockgal wrote",
        "`mockgal.read_measurement({path})` in Python reads it; here, give a simulation or a mock",
    ),
    (
        b'{"__metadata__"',
        b"mockgal",
        "weights of mockgal's network",
        "give the simulation, and these with --weights {name}; `mockgal weights show {name}` "
        "describes them",
    ),
)


def _of(begin: bytes, *, cut: bool) -> Look:
    """Return what begins with these bytes, and what to do; ``cut`` if the file is longer."""
    if not begin:
        return Look("an empty file (first bytes b'')", "copy or download the file again")
    if begin.startswith(GZIP):
        return _compressed(begin)
    if begin.startswith(ZIP):
        return _zipped(begin)
    first = begin.split(b"\n")[0].decode("utf-8", "replace")
    for start, mark, what, fix in _OWN:
        if start in begin[:_START] and mark in begin:
            return Look(what, fix)
    for kind in KINDS:
        if isinstance(kind.begin, str):
            matches = re.match(kind.begin, first, re.I) is not None
        else:
            matches = begin[kind.offset : kind.offset + len(kind.begin)] == kind.begin
        if matches:
            fix = (kind.fix or _ROCKSTAR_BINARY).replace("{format}", kind.format)
            return Look(kind.what, fix, kind.is_table)
    return _text(begin, cut=cut)


def _compressed(begin: bytes) -> Look:
    """Return what is in a gzip file, of which only the beginning is unpacked."""
    command = "gzip -dc {name} > {new}"
    engine = zlib.decompressobj(31)
    try:
        inside = engine.decompress(begin, LOOKED_AT)
    except zlib.error:
        return Look("damaged gzip data", "copy or download the file again")
    look = Look("", "")
    if inside and not inside.startswith(GZIP):
        look = _of(inside, cut=not engine.eof)
    if look.what.startswith("a tar"):
        return Look("a tar archive, compressed with gzip", _unpacked("tar -xzf {name}"))
    if not look.what:
        return Look("a file compressed with gzip", _unpacked(command), True)
    fix = look.fix.replace("`cat ", "`gzip -dc ")
    return Look(f"{look.what}, compressed with gzip", fix, look.is_table)


def _zipped(begin: bytes) -> Look:
    """Return what a zip archive is, by the name of its first file."""
    length = int.from_bytes(begin[26:28], "little")
    first = begin[30 : 30 + length].decode("utf-8", "replace")
    if first.endswith(".npy"):
        return Look(
            "NumPy arrays (npz), without units or cosmology",
            table("numpy.load({path})", unpickles=True),
            True,
        )
    if first.endswith("data.pkl"):
        return Look("network weights of PyTorch, which mockgal never loads", OTHERWISE)
    if first.startswith("[Content_Types]"):
        return Look("an Excel workbook", table("pandas.read_excel({path})"))
    return Look("a zip archive", _unpacked("python -m zipfile -e {name} FOLDER"))


def _text(begin: bytes, *, cut: bool) -> Look:
    """Return what a text is; it is a table if its lines have the same number of values."""
    try:
        text = begin.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(begin) - 4:  # else the last character is incomplete
            return Look("", "")
        text = begin[: error.start].decode("utf-8")
    if any(ord(c) < 32 and c not in "\t\r\n\f" for c in text):
        return Look("", "")
    if text.startswith(_MARK):
        return Look(
            "a text that begins with a byte-order mark",
            r"`cat {name} | sed '1s/^\xEF\xBB\xBF//' > {new}`, and give the new file",
        )
    if _XML.match(text):
        if "<votable" in text.lower():
            return Look("a VOTable", _ASTROPY.replace("{format}", "votable"), True)
        return Look("XML", OTHERWISE)
    lines = [line for line in text.splitlines() if line.strip()]
    if cut:
        lines = lines[:-1]
    if not lines:
        return Look("", "")
    return _table_of(lines)


def _table_of(lines: list[str]) -> Look:
    head = lines[0]
    plain = re.sub(r"[,;\s]+", " ", head).strip()
    if kind_of("#" + plain.lstrip("# ")):
        if not head.lstrip().startswith("#"):
            return Look(
                "a halo list whose first line lacks its #",
                "`cat {name} | sed '1s/^/#/' > {new}`, and give the new file",
            )
        return Look(
            "a halo list whose values are separated by commas",
            "`cat {name} | tr ',' ' ' > {new}`, and give the new file",
        )
    rows = [line for line in lines if not line.startswith("#")]
    for separator, (word, form) in _SEPARATORS.items():
        width = {len(row.split(separator)) for row in rows}
        if len(rows) > 1 and len(width) == 1 and max(width) > 2:
            what = f"a text table with values separated by {word}"
            return Look(what, _ASTROPY.replace("{format}", form), True)
    width = {len(row.split()) for row in rows[1:]}
    if len(rows) > 2 and len(width) == 1 and max(width) > 2 and _are_numbers(rows[1]):
        return Look("a text table", _ASTROPY.replace("{format}", "ascii"), True)
    return Look("", "", True)


def _are_numbers(row: str) -> bool:
    try:
        return bool([float(word) for word in row.split()])
    except ValueError:
        return False
