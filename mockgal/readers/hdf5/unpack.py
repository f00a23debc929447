"""Stored chunks of HDF5 unpacked here, with every length checked; HDF5's own filters check none.

Given a chunk that unpacks to less than its values take, HDF5 hands out whatever was in memory;
given one that unpacks to more, it takes memory without end.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3  # HDF5's numbers of its filters
_CHECKSUM = 4  # bytes
_BLOCK = 1 << 17  # words summed at a time: the sums are exact in float64
_WEIGHTS = np.arange(_BLOCK, 0, -1, dtype=np.float64)


class Damaged(Exception):
    """What is wrong with a chunk."""


def unpack(stored: Bytes, filters: Sequence[int], skipped: int, item: int, size: int) -> Bytes:
    """The values of a chunk.

    Parameters
    ----------
    stored : ndarray of uint8
        The chunk as it is in the file.
    filters : sequence of int
        In the order in which they were applied.
    skipped : int
        Bit i is set if filter i was not applied to this chunk.
    item : int
        Bytes of one value.
    size : int
        Bytes of all.

    Returns
    -------
    ndarray of uint8, shape (size,)

    Raises
    ------
    Damaged
        A checksum fails, or it does not unpack to ``size`` bytes.
    """
    found = stored
    used = [code for bit, code in enumerate(filters) if not skipped >> bit & 1]
    for place, code in reversed(list(enumerate(used))):
        if code == FLETCHER32:
            found = _without_checksum(found)
        elif code == DEFLATE:
            found = _inflated(found, size + _CHECKSUM * used[:place].count(FLETCHER32))
        elif code == SHUFFLE and item > 1:
            found = _in_order(found, item)
    if len(found) != size:
        raise Damaged(f"{len(found)} bytes of values where {size} belong")
    return found


def _inflated(stored: Bytes, size: int) -> Bytes:
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(stored.data, size + 1)
    except zlib.error as error:
        raise Damaged(f"that it cannot be decompressed ({error})") from error
    if len(found) > size:
        raise Damaged(f"more than {size} bytes of decompressed values")
    if not unpacker.eof:
        raise Damaged("that it cannot be decompressed (it ends too early)")
    return np.frombuffer(found, np.uint8)


def _in_order(shuffled: Bytes, item: int) -> Bytes:
    """Undo the shuffle: first bytes of all values, then the second ones, and so on."""
    if len(shuffled) % item:
        raise Damaged(f"{len(shuffled)} bytes of values of {item} bytes each")
    found = np.empty((len(shuffled) // item, item), np.uint8)
    for number, values in enumerate(shuffled.reshape(item, -1)):  # faster than one transposition
        found[:, number] = values
    return found.reshape(-1)


def _without_checksum(stored: Bytes) -> Bytes:
    if len(stored) < _CHECKSUM:
        raise Damaged("no room for its Fletcher-32 checksum")
    content, end = stored[:-_CHECKSUM], stored[-_CHECKSUM:].tobytes()
    found = fletcher32(content)
    # HDF5 before 1.6.3 swapped the bytes of each half.
    swapped = (found & 0x00FF00FF) << 8 | (found & 0xFF00FF00) >> 8
    if int.from_bytes(end, "little") not in (found, swapped):
        raise Damaged("that its Fletcher-32 checksum fails")
    return content


def fletcher32(content: Bytes) -> int:
    """HDF5's Fletcher-32 checksum: of big-endian words of 16 bits, an odd byte being a high one."""
    words: NDArray[Any] = content[: len(content) // 2 * 2].view(">u2")
    first, second = 0, 0
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK].astype(np.float64)
        # Not `@`: threads of a linear-algebra library would only get in each other's way here.
        weighted = np.einsum("i,i", block, _WEIGHTS[_BLOCK - len(block) :])
        second += first * len(block) + int(weighted)
        first += int(block.sum())
    if len(content) % 2:
        first += int(content[-1]) << 8
        second += first
    # Its sums are folded, which leaves 65535 where a remainder would be 0.
    return _folded(second) << 16 | _folded(first)


def _folded(value: int) -> int:
    return (value - 1) % 0xFFFF + 1 if value else 0
