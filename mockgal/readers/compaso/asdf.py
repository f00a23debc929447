"""ASDF files from strangers: a tree of text, and blocks of numbers that are read piece by piece.

Only what files of Abacus have is read: numbers in blocks of the same file, plain or compressed with
Blosc. The tree is taken as text; no tag in it makes an object. Everything that a file declares is
held against its size before memory is taken, and data against the MD5 digest stored with them.

Layout: https://asdf-standard.readthedocs.io, chapter 5. Within a block compressed with ``blsc``,
each piece is preceded by its length, a big-endian 32-bit integer.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from ...errors import (
    CorruptFileError,
    FormatError,
    HeaderError,
    MissingDatasetError,
    UnsafeInputError,
    UsageError,
    listed,
    shown,
)
from ...system.memory import BOMB_BYTES, BOMB_RATIO, check_memory
from ..hdf5.safe import check_regular, first_bytes
from ..hdf5.stored import COPY_AGAIN

Array = NDArray[Any]

MAGIC = b"#ASDF"
INSTALL = "pip install 'mockgal[formats]'"
_BLOCK = b"\xd3BLK"
_HEAD = struct.Struct(">I4sQQQ16s")  # flags, compression, allocated, used, data, MD5 of the data
_LENGTH = struct.Struct(">I")
_CHUNK = struct.Struct("<4B3I")  # versions, flags, type size; bytes, block size, stored bytes
_END = (b"\n...\n", b"\n...\r\n")  # of the tree
_MOST_TREE = 1 << 20  # bytes; trees of Abacus have up to 3e4
_MOST_DEPTH, _MOST_BLOCKS, _LONGEST_HEAD = 32, 10_000, 1 << 10
_PLAIN, _BLOSC = b"\0\0\0\0", b"blsc"
_READ = 1 << 24  # bytes of a plain block read at a time
_ROWS = 1 << 20  # most rows that are handed out at a time
_TYPES = {
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *("float32", "float64"),
}
_ORDER = {"little": "<", "big": ">"}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Block(NamedTuple):
    """A block: its place and length in the file, compression, length of its data, and MD5."""

    start: int
    stored: int
    compression: bytes
    length: int
    digest: bytes


class _Stored(NamedTuple):
    """A piece of a block: its place and length in the file, and the length of its data."""

    start: int
    length: int
    unpacked: int


class Column(NamedTuple):
    """An array: its block, place in the block's data [bytes], type and shape."""

    block: _Block
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class AsdfFile(NamedTuple):
    """An ASDF file of which tree and blocks have been checked, but no data read.

    Parameters
    ----------
    path : Path
    header : mapping
        The tree below ``header``: texts, lists and mappings.
    columns : mapping of str to Column
        The arrays below ``data``.
    """

    path: Path
    header: Mapping[str, Any]
    columns: Mapping[str, Column]

    def at(self, name: str) -> str:
        """Return ``FILE:NAME``, for messages."""
        return f"{self.path}:{name}"

    def number(self, name: str) -> float | None:
        """Return a number of the header; None if it is not there.

        Raises
        ------
        HeaderError
            It is not a finite number.
        """
        if name not in self.header:
            return None
        try:
            value = float(self.header[name])
        except (TypeError, ValueError, OverflowError):
            value = np.nan
        if not np.isfinite(value):
            raise HeaderError(
                self.at(f"header/{name}"), shown(self.header[name]), "a number", COPY_AGAIN
            )
        return value

    def column(self, name: str, row_shape: tuple[int, ...] = ()) -> Column:
        """Return an array whose rows have this shape.

        Raises
        ------
        MissingDatasetError, HeaderError
            It is not there, or its rows have another shape.
        """
        if name not in self.columns:
            raise MissingDatasetError(
                self.at(f"data/{name}"),
                f"no such array; arrays: {listed(self.columns)}",
                "the arrays of the format",
                "fetch the whole file; reduced copies are not read",
            )
        found = self.columns[name]
        if len(found.shape) != 1 + len(row_shape) or found.shape[1:] != row_shape:
            raise HeaderError(
                self.at(f"data/{name}"), f"shape {found.shape}", f"(rows, *{row_shape})", COPY_AGAIN
            )
        return found

    def read(self, name: str, row_shape: tuple[int, ...] = ()) -> Array:
        """Return an array, whole.

        Raises
        ------
        MockgalError
            See `column` and `pieces`; exit code 6 if it does not fit into memory.
        """
        column, where = self.column(name, row_shape), self.at(f"data/{name}")
        done = 0
        with open(self.path, "rb") as file:
            if column.block.compression == _BLOSC:  # before memory is taken for them
                _stored_pieces(file, column.block, where)
            check_memory(where, column.block.length)
            data = np.empty(column.block.length, np.uint8)
            for piece in _pieces(file, column.block, where):
                data[done : done + len(piece)] = piece
                done += len(piece)
        size = prod(column.shape) * column.dtype.itemsize
        values = data[column.offset : column.offset + size].view(column.dtype)
        return values.reshape(column.shape)

    def pieces(self, name: str, row_shape: tuple[int, ...] = ()) -> Iterator[Array]:
        """Yield an array by whole rows, at most a piece of its block at a time.

        Raises
        ------
        MockgalError
            See `column`; damaged data. The digest is compared after the last piece.
        """
        column = self.column(name, row_shape)
        width = prod(row_shape) * column.dtype.itemsize
        first, size = column.offset, prod(column.shape) * column.dtype.itemsize
        left, at = np.empty(0, np.uint8), 0
        with open(self.path, "rb") as file:
            for piece in _pieces(file, column.block, self.at(f"data/{name}")):
                inside = piece[max(first - at, 0) : max(first + size - at, 0)]
                at += len(piece)
                left = np.concatenate([left, inside]) if len(left) else inside
                whole = len(left) // width * width
                for start in range(0, whole, _ROWS * width):
                    rows = left[start : min(start + _ROWS * width, whole)]
                    yield rows.view(column.dtype).reshape(-1, *row_shape)
                left = left[whole:]


def is_asdf(path: Path) -> bool:
    """Return whether a path is a file that begins as ASDF does; never raise."""
    try:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def open_asdf(path: Path) -> AsdfFile:
    """Read and check the tree and the heads of the blocks.

    Raises
    ------
    MockgalError
        Exit code 3 for a file that is damaged or cut short, 4 for one that refers to other files
        or declares far more data than it holds.
    """
    check_regular(path)
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        begin = file.read(_MOST_TREE)
        if not begin.startswith(MAGIC):
            raise CorruptFileError(
                path, f"a file that begins with {first_bytes(path)}", "#ASDF", COPY_AGAIN
            )
        ends = [begin.find(mark) + len(mark) for mark in _END if mark in begin]
        if not ends:
            raise CorruptFileError(
                path,
                f"{size} bytes without the end of the tree",
                f"a line ... within the first {_MOST_TREE} bytes",
                COPY_AGAIN,
            )
        tree = _tree(path, begin[: min(ends)])
        blocks = _blocks(path, file, begin.find(_BLOCK, min(ends)), size)
    data, header = (tree.get(name) for name in ("data", "header"))
    if not isinstance(data, dict) or not isinstance(header, dict):
        raise FormatError(
            path,
            f"a tree of {listed(tree)}",
            "header and data, as files of Abacus have",
            COPY_AGAIN,
        )
    arrays = {
        name: _column(f"{path}:data/{name}", value, blocks)
        for name, value in data.items()
        if isinstance(value, dict)
    }
    return AsdfFile(path, header, arrays)


def _tree(path: Path, text: bytes) -> dict[str, Any]:
    """Return the tree as texts, lists and mappings; tags are ignored, and references are None.

    It is put together from the events of the parser, without recursion and without constructors.
    """
    top: list[Any] = []
    nested: list[Any] = [top]
    keys: list[Any] = [None]

    def add(value: Any) -> None:
        if isinstance(nested[-1], list):
            nested[-1].append(value)
        elif keys[-1] is None:
            keys[-1] = value if isinstance(value, str) else "?"
        else:
            nested[-1][keys[-1]] = value
            keys[-1] = None

    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.ScalarEvent):
                add(event.value)
            elif isinstance(event, yaml.AliasEvent):
                add(None)
            elif isinstance(event, yaml.CollectionStartEvent):
                inner: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                add(inner)
                nested.append(inner)
                keys.append(None)
                if len(nested) > _MOST_DEPTH:
                    raise UnsafeInputError(
                        path,
                        f"a tree of more than {_MOST_DEPTH} levels",
                        "few",
                        "do not use this file",
                    )
            elif isinstance(event, yaml.CollectionEndEvent):
                nested.pop()
                keys.pop()
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error)
        raise CorruptFileError(
            path, f"a tree that is no YAML ({shown(problem)})", "YAML", COPY_AGAIN
        ) from error
    return top[0] if top and isinstance(top[0], dict) else {}


def _blocks(path: Path, file: BinaryIO, start: int, size: int) -> list[_Block]:
    """Return the blocks of a file of ``size`` bytes, from the place of the first; -1 if none."""
    blocks: list[_Block] = []
    while 0 <= start < size:
        where = f"{path}:block {len(blocks)}"
        file.seek(start)
        magic = file.read(len(_BLOCK))
        if blocks and magic != _BLOCK:  # an index follows, which is not needed
            break
        begin = file.read(2 + _HEAD.size)
        length = int.from_bytes(begin[:2], "big")
        if len(begin) < 2 + _HEAD.size or not _HEAD.size <= length <= _LONGEST_HEAD:
            raise CorruptFileError(
                where, "a damaged head", f"{_HEAD.size} bytes or more", COPY_AGAIN
            )
        flags, compression, allocated, used, data, digest = _HEAD.unpack(begin[2:])
        begins = start + len(_BLOCK) + 2 + length
        if begins + allocated > size or used > allocated:
            raise CorruptFileError(
                where,
                f"{size} bytes in the file: it is cut short, or its head is damaged",
                f"{begins + max(allocated, used)} bytes, as the head of the block says",
                COPY_AGAIN,
            )
        if flags or (compression == _PLAIN and used != data):
            raise CorruptFileError(where, f"flags {flags}, {used} bytes for {data}", "", COPY_AGAIN)
        if data > BOMB_BYTES and data > BOMB_RATIO * used:
            raise UnsafeInputError(
                where,
                f"{data} bytes declared by a block of {used} bytes",
                f"at most {BOMB_RATIO} times as many",
                "do not use this file",
            )
        blocks.append(_Block(begins, used, compression, data, digest))
        start = begins + allocated
        if len(blocks) > _MOST_BLOCKS:
            raise UnsafeInputError(
                path, f"more than {_MOST_BLOCKS} blocks", "fewer", "do not use this file"
            )
    return blocks


def _column(where: str, stated: Mapping[str, Any], blocks: list[_Block]) -> Column:
    """Return the array that a node of the tree describes."""
    source = stated.get("source")
    if not (isinstance(source, str) and source.isdecimal()):
        raise UnsafeInputError(
            where,
            f"the source {shown(source)}",
            "the number of a block of this file",
            "do not use this file: the arrays of Abacus lie in the file itself",
        )
    try:
        number, offset = int(source), int(stated.get("offset", 0))
        shape = tuple(int(n) for n in stated["shape"])
        kind = stated["datatype"]
        if kind not in _TYPES or not set(stated) <= _KEYS or min(offset, *shape, 0) < 0:
            raise ValueError
        dtype = np.dtype(kind).newbyteorder(_ORDER[stated["byteorder"]])
        block = blocks[number]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise HeaderError(
            where,
            f"an array of {shown(dict(stated))} with {len(blocks)} blocks",
            "numbers in a block of this file: source, datatype, byteorder and shape",
            COPY_AGAIN,
        ) from error
    needed = offset + prod(shape) * dtype.itemsize
    if needed > block.length or not shape:
        raise HeaderError(
            where, f"{needed} bytes", f"at most {block.length}, those of block {number}", COPY_AGAIN
        )
    return Column(block, offset, dtype, shape)


_KEYS = {"source", "offset", "shape", "datatype", "byteorder"}


def _pieces(file: BinaryIO, block: _Block, where: str) -> Iterator[NDArray[np.uint8]]:
    """Yield the data of a block; compare their digest after the last."""
    digest = hashlib.md5(usedforsecurity=False)
    if block.compression == _PLAIN:
        found = _plain(file, block, where)
    elif block.compression == _BLOSC:
        found = _unpacked(file, _stored_pieces(file, block, where), where)
    else:
        raise FormatError(
            where,
            f"data compressed with {block.compression!r}",
            "blsc, as Abacus writes them, or none",
            "write the file again with asdf: AsdfFile.write_to(NEW, all_array_compression=None)",
        )
    for piece in found:
        digest.update(piece.data)
        yield piece
    if any(block.digest) and digest.digest() != block.digest:
        raise CorruptFileError(
            where,
            f"data with the MD5 digest {digest.hexdigest()}",
            f"{block.digest.hex()}, as stored with them",
            COPY_AGAIN,
        )


def _plain(file: BinaryIO, block: _Block, where: str) -> Iterator[NDArray[np.uint8]]:
    file.seek(block.start)
    for start in range(0, block.stored, _READ):
        yield np.frombuffer(_taken(file, min(_READ, block.stored - start), where), np.uint8)


def _unpacked(file: BinaryIO, stored: list[_Stored], where: str) -> Iterator[NDArray[np.uint8]]:
    """Yield the pieces of a block compressed with Blosc."""
    blosc = _blosc(where)
    for start, length, unpacked in stored:
        file.seek(start)
        chunk = _taken(file, length, where)
        check_memory(where, unpacked)
        piece = np.empty(unpacked, np.uint8)
        try:
            written = blosc.decompress_ptr(chunk, piece.ctypes.data)
        except (blosc.blosc_extension.error, ValueError, TypeError) as error:
            raise CorruptFileError(
                where, f"a piece that cannot be unpacked ({error})", "Blosc", COPY_AGAIN
            ) from error
        if written != unpacked:
            raise CorruptFileError(where, f"{written} bytes", f"{unpacked} bytes", COPY_AGAIN)
        yield piece


def _stored_pieces(file: BinaryIO, block: _Block, where: str) -> list[_Stored]:
    """Return the pieces of a block compressed with Blosc, by their heads alone.

    Raises
    ------
    CorruptFileError
        They do not add up to what the head of the block says.
    """
    at, end, room, found = block.start, block.start + block.stored, block.length, []
    while at < end:
        file.seek(at)
        begin = _taken(file, _LENGTH.size + _CHUNK.size, where)
        (length,), head = _LENGTH.unpack_from(begin), _CHUNK.unpack_from(begin, _LENGTH.size)
        unpacked, stored = head[4], head[6]
        at += _LENGTH.size
        if stored != length or length < _CHUNK.size or at + length > end or unpacked > room:
            raise CorruptFileError(
                where,
                f"a piece of {length} bytes, {stored} by its head, for {unpacked}",
                f"at most {end - at} bytes for {room}",
                COPY_AGAIN,
            )
        if unpacked:
            found.append(_Stored(at, length, unpacked))
        at, room = at + length, room - unpacked
    if room:
        raise CorruptFileError(
            where, f"{block.length - room} bytes of data", f"{block.length} bytes", COPY_AGAIN
        )
    return found


def _taken(file: BinaryIO, count: int, where: str) -> bytes:
    """Return the next bytes, of which none may be missing."""
    data = file.read(count)
    if len(data) != count:
        raise CorruptFileError(where, f"{len(data)} bytes", f"{count} bytes more", COPY_AGAIN)
    return data


def _blosc(where: str) -> Any:
    """Return the module that unpacks.

    Raises
    ------
    UsageError
        It is not installed.
    """
    try:
        import blosc
    except ImportError as error:
        raise UsageError(
            where, "data compressed with Blosc, and no package blosc", "it installed", INSTALL
        ) from error
    return blosc
