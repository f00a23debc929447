"""Unpack stored chunks of HDF5 with every length checked; HDF5's own filters check none.

If a chunk unpacks to less than the size of its values, HDF5 returns whatever was in memory; if it
unpacks to more, HDF5 allocates memory without limit.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3  # HDF5's filter numbers
_CHECKSUM = 4  # bytes
_BLOCK = 1 << 17  # words summed at a time: the sums are exact in float64
_WEIGHTS = np.arange(_BLOCK, 0, -1, dtype=np.float64)


class Damaged(Exception):
    """A chunk is damaged; the text says how, as a noun phrase after "found"."""


def unpack(stored: Bytes, filters: Sequence[int], skipped: int, item: int, size: int) -> Bytes:
    """Return the values of a chunk.

    Parameters
    ----------
    stored : ndarray of uint8
        The chunk as stored in the file.
    filters : sequence of int
        Filters in the order in which they were applied.
    skipped : int
        Bit i is set if filter i was not applied to this chunk.
    item : int
        Bytes of one value.
    size : int
        Bytes of all values.

    Returns
    -------
    ndarray of uint8, shape (size,)

    Raises
    ------
    Damaged
        A checksum fails, or the chunk does not unpack to ``size`` bytes.
    """
    values = stored
    used = [code for bit, code in enumerate(filters) if not skipped >> bit & 1]
    for place, code in reversed(list(enumerate(used))):
        if code == FLETCHER32:
            values = _without_checksum(values)
        elif code == DEFLATE:
            values = _inflated(values, size + _CHECKSUM * used[:place].count(FLETCHER32))
        elif code == SHUFFLE and item > 1:
            values = _in_order(values, item)
    if len(values) != size:
        raise Damaged(f"{len(values)} bytes of values instead of {size}")
    return values


def _inflated(stored: Bytes, size: int) -> Bytes:
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(stored.data, size + 1)
    except zlib.error as error:
        raise Damaged(f"that it cannot be decompressed ({error})") from error
    if len(content) > size:
        raise Damaged(f"more than {size} bytes of decompressed values")
    if not unpacker.eof:
        raise Damaged("that it cannot be decompressed (it ends too early)")
    return np.frombuffer(content, np.uint8)


def _in_order(shuffled: Bytes, item: int) -> Bytes:
    """Undo the shuffle, which stores the first bytes of all values, then the second, and so on."""
    if len(shuffled) % item:
        raise Damaged(f"{len(shuffled)} bytes of values of {item} bytes each")
    result = np.empty((len(shuffled) // item, item), np.uint8)
    for number, values in enumerate(shuffled.reshape(item, -1)):  # faster than one transposition
        result[:, number] = values
    return result.reshape(-1)


def _without_checksum(stored: Bytes) -> Bytes:
    if len(stored) < _CHECKSUM:
        raise Damaged("no room for its Fletcher-32 checksum")
    content, end = stored[:-_CHECKSUM], stored[-_CHECKSUM:].tobytes()
    checksum = fletcher32(content)
    # HDF5 before 1.6.3 swapped the bytes of each half.
    swapped = (checksum & 0x00FF00FF) << 8 | (checksum & 0xFF00FF00) >> 8
    if int.from_bytes(end, "little") not in (checksum, swapped):
        raise Damaged("that its Fletcher-32 checksum fails")
    return content


def fletcher32(content: Bytes) -> int:
    """Return HDF5's Fletcher-32 checksum of big-endian 16-bit words; an odd byte is a high byte."""
    words: NDArray[Any] = content[: len(content) // 2 * 2].view(">u2")
    first, second = 0, 0
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK].astype(np.float64)
        # Not `@`: threads of a linear-algebra library would only slow each other down here.
        weighted = np.einsum("i,i", block, _WEIGHTS[_BLOCK - len(block) :])
        second += first * len(block) + int(weighted)
        first += int(block.sum())
    if len(content) % 2:
        first += int(content[-1]) << 8
        second += first
    # HDF5 folds the sums, which leaves 65535 where a remainder would be 0.
    return _folded(second) << 16 | _folded(first)


def _folded(value: int) -> int:
    return (value - 1) % 0xFFFF + 1 if value else 0
