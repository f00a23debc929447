"""Untrusted safetensors files: eight bytes of length, a JSON header, then the numbers.

Everything that the header declares is checked against the file before memory is allocated, and
nothing in the file is executed. Formats that could execute code (pickle, and formats built on it)
are refused.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....errors import CorruptFileError, MissingDatasetError, UnsafeInputError
from ....system.files import plain_json
from ....system.files.plain_text import ordinary_file
from ....system.memory import check_memory

MAX_HEADER = 4 << 20  # bytes
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}
COPY_AGAIN = "copy or download the file again and compare its checksum with the source's"
CONVERT = (
    "`mockgal weights convert` reads the published dm2gal checkpoint; of anything else, take "
    "weights that mockgal wrote"
)
_METADATA = "__metadata__"
_MOST_BYTES = 1 << 40  # far more than any allowed network
_MOST_AXES = 8
_EXECUTABLE = {
    b"PK\x03\x04": "a zip archive, in which torch and NumPy store pickles",
    b"\x93NUMPY": "a NumPy file, which may hold pickled objects",
    **{bytes([0x80, protocol]): "a pickle" for protocol in range(2, 6)},
}


class Entry(NamedTuple):
    """A tensor as the header declares it.

    ``dtype`` is a key of `DTYPES`; ``begin`` and ``end`` are bytes from the end of the header.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class TensorFile(NamedTuple):
    """An open file with a checked header."""

    path: Path
    metadata: dict[str, str]
    entries: dict[str, Entry]
    stream: BufferedReader
    start: int

    def read(self, name: str) -> NDArray[Any]:
        """Read the numbers of a tensor, in the byte order of this machine.

        Raises
        ------
        CorruptFileError
            The file has become shorter since it was opened.
        ResourceError
            The numbers need more memory than is free.
        """
        entry = self.entries[name]
        check_memory(f"{self.path}:{name}", entry.end - entry.begin)
        values = np.empty(entry.shape, DTYPES[entry.dtype])
        self.stream.seek(self.start + entry.begin)
        if self.stream.readinto(values.reshape(-1).view(np.uint8).data) != values.nbytes:
            raise CorruptFileError(
                f"{self.path}:{name}", "the end of the file inside it", "all of it", COPY_AGAIN
            )
        native: NDArray[Any] = values.astype(values.dtype.newbyteorder("="), copy=False)
        return native


@contextmanager
def tensor_file(path: Path) -> Iterator[TensorFile]:
    """Open a safetensors file.

    Raises
    ------
    InputError
        It is not an ordinary file that can be read.
    UnsafeInputError
        It is a pickle, zip archive or NumPy file, declares impossible sizes, or has overlapping
        tensors.
    CorruptFileError
        It is truncated, or not a valid safetensors file.
    """
    with ordinary_file(path, "a safetensors file") as stream:
        size = os.fstat(stream.fileno()).st_size
        length = _header_length(path, stream.read(16), size)
        stream.seek(8)
        header = strict_json(stream.read(length), f"{path}, its header")
        start = 8 + length
        metadata = header.pop(_METADATA, {})
        if not isinstance(metadata, dict) or not all(
            isinstance(text, str) for text in metadata.values()
        ):
            raise _corrupt(path, "metadata that are not text")
        entries = {name: _entry(path, name, value) for name, value in header.items()}
        _check_places(path, entries, size - start)
        yield TensorFile(path, metadata, entries, stream, start)


def strict_json(text: bytes, where: str) -> dict[str, Any]:
    """Return a JSON object with unique names, finite numbers and bounded nesting.

    Raises
    ------
    CorruptFileError
        The text is not such an object.
    """
    try:
        values = plain_json.load(text)
        if not isinstance(values, dict):
            raise ValueError("not an object")
    except ValueError as error:
        raise CorruptFileError(
            where, f"text that is not valid JSON ({error})", "a JSON object", COPY_AGAIN
        ) from error
    return values


def _header_length(path: Path, head: bytes, size: int) -> int:
    """Return the bytes of the header, from the first bytes of a file of ``size`` bytes."""
    length = int.from_bytes(head[:8], "little")
    # A length of 640 looks like the start of a pickle, but none continues with zeros and a brace.
    if head[8:9] == b"{" and length <= MAX_HEADER:
        if 8 + length > size:
            raise CorruptFileError(
                path, f"a file of {size} bytes", f"a header of {length} bytes and more", COPY_AGAIN
            )
        return length
    for magic, what in _EXECUTABLE.items():
        if head.startswith(magic):
            raise UnsafeInputError(path, what, "network weights in a safetensors file", CONVERT)
    if head[8:9] == b"{":
        raise UnsafeInputError(
            path,
            f"a header of {length} bytes in a file of {size}",
            f"at most {MAX_HEADER} bytes",
            "do not use this file",
        )
    raise CorruptFileError(
        path,
        f"a file of {size} bytes that begins with {head!r}",
        "a safetensors file",
        f"{COPY_AGAIN}; {CONVERT}",
    )


def _entry(path: Path, name: str, value: Any) -> Entry:
    where = f"{path}:{name}"
    try:
        dtype, shape, (begin, end) = (value[key] for key in ("dtype", "shape", "data_offsets"))
        numbers = [*shape, begin, end]
        well_formed = isinstance(shape, list) and len(value) == 3 and len(shape) <= _MOST_AXES
    except (TypeError, ValueError, LookupError):
        well_formed = False
    if not well_formed or not all(type(n) is int and n >= 0 for n in numbers):
        raise CorruptFileError(
            where, "a malformed entry of the header", "dtype, shape, data_offsets", COPY_AGAIN
        )
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CorruptFileError(
            where, f"numbers of type {str(dtype)[:20]!r}", " or ".join(DTYPES), CONVERT
        )
    declared = math.prod(shape) * DTYPES[dtype].itemsize
    if max(declared, end) > _MOST_BYTES:
        raise UnsafeInputError(
            where,
            f"{max(declared, end)} bytes declared",
            f"at most {_MOST_BYTES}",
            "do not use this file",
        )
    if declared != end - begin:
        raise CorruptFileError(
            where,
            f"{end - begin} bytes",
            f"{declared}, as shape {shape} of {dtype} has",
            COPY_AGAIN,
        )
    return Entry(dtype, tuple(shape), begin, end)


def _check_places(path: Path, entries: Mapping[str, Entry], size: int) -> None:
    """Raise unless the tensors fill the ``size`` bytes after the header without overlap."""
    done = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin < done:
            raise UnsafeInputError(
                f"{path}:{name}",
                "bytes that belong to another tensor, too",
                "tensors that do not overlap",
                "do not use this file",
            )
        if entry.begin > done:
            raise _corrupt(path, f"{entry.begin - done} bytes before {name} that no tensor has")
        done = entry.end
    if done != size:
        raise CorruptFileError(
            path, f"{size} bytes after the header", f"{done}, as its tensors have", COPY_AGAIN
        )


def _corrupt(path: Path, found: str) -> CorruptFileError:
    return CorruptFileError(path, found, "a valid safetensors file", COPY_AGAIN)


def check_names(where: object, found: set[str], expected: set[str], text: str, fix: str) -> None:
    """Raise unless the tensors are exactly the expected ones; ``text`` describes those.

    Raises
    ------
    MissingDatasetError
        Some are missing, or there are others.
    """
    missing, extra = sorted(expected - found), sorted(found - expected)
    if missing or extra:
        parts = [("no ", missing), ("besides ", extra)]
        raise MissingDatasetError(
            where,
            "; ".join(
                f"{word}{', '.join(name[:80] for name in names[:4])}"
                + (f" and {len(names) - 4} more" if len(names) > 4 else "")
                for word, names in parts
                if names
            ),
            text,
            fix,
        )
