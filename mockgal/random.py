"""Counter-based random numbers keyed by (seed, purpose, object id).

The generator is Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405). A number depends
only on the seed, the name of the stream and the id of its object: not on row order, chunking, the
number of workers, or what was drawn before. Global random state is not touched.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .columns import NEXT_SNAPSHOT
from .errors import UsageError, shown

SCHEMA_VERSION = 1  # increase if keys or counters change meaning: this changes every mock

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
MOST_SEEDS = 10_000  # of one ensemble
_SEEDS = re.compile(r"([0-9]{1,19})(?:\s*-\s*([0-9]{1,19}))?")
_BLOCK = 1 << 16  # rows generated at a time: keeps the ten rounds in cache


def philox4x32(counter: NDArray[np.uint32], key: tuple[int, int]) -> NDArray[np.uint32]:
    """Return Philox4x32-10 of each counter.

    Parameters
    ----------
    counter : ndarray of uint32, shape (n, 4)
    key : tuple of two int
        The two 32-bit words of the key.

    Returns
    -------
    ndarray of uint32, shape (n, 4)
    """
    c0, c1, c2, c3 = (counter[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = key
    for _ in range(10):
        product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> _32) ^ c1 ^ np.uint64(k0),
            product1 & _LOW,
            (product0 >> _32) ^ c3 ^ np.uint64(k1),
            product0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def check_seed(seed: object) -> int:
    """Return the seed as a plain int.

    Raises
    ------
    UsageError
        The seed is not a whole number from 0 to 2**63 - 1.
    """
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not (whole and 0 <= int(seed) < 2**63):  # type: ignore[call-overload]
        raise UsageError("seed", repr(seed), "a whole number from 0 to 2**63 - 1")
    return int(seed)  # type: ignore[call-overload, no-any-return]


def seeds_of(stated: object) -> tuple[int, ...]:
    """Return the seeds that a number or a text states: 3, ``"1-100"``, ``"1-9,20"``.

    Parameters
    ----------
    stated : int or str

    Returns
    -------
    tuple of int
        In the order in which they are stated.

    Raises
    ------
    UsageError
        The text is neither a seed nor a list of seeds and ranges; a seed is stated twice, or there
        are more than `MOST_SEEDS`.

    Examples
    --------
    >>> from mockgal.random import seeds_of
    >>> seeds_of("1-3,8")
    (1, 2, 3, 8)
    """
    if not isinstance(stated, str):
        return (check_seed(stated),)
    what = "a seed such as 3, or several: 1-100, or 1-9,20"
    seeds: list[int] = []
    for part in stated.split(","):
        found = _SEEDS.fullmatch(part.strip())
        if found is None:
            raise UsageError("seed", shown(stated), what)
        first = int(found[1])
        last = first if found[2] is None else int(found[2])
        if last < first:
            raise UsageError("seed", shown(stated), f"{what}; a range from its least seed")
        if len(seeds) + last - first >= MOST_SEEDS:
            raise UsageError("seed", shown(stated), f"at most {MOST_SEEDS:,} seeds")
        seeds += map(check_seed, range(first, last + 1))
    if len(set(seeds)) < len(seeds):
        raise UsageError("seed", shown(stated), "each seed once")
    return tuple(seeds)


def stream_key(seed: int, stream: str) -> tuple[int, int]:
    """Return the Philox key of a named stream: BLAKE2b of (schema version, seed, stream name)."""
    text = f"mockgal\0{SCHEMA_VERSION}\0{check_seed(seed)}\0{stream}".encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def uniform(
    seed: int, stream: str, object_id: ArrayLike, *, draw: int = 0, sub_index: ArrayLike = 0
) -> NDArray[np.float64]:
    """Return one uniform number in (0, 1), both ends excluded, for each object.

    Parameters
    ----------
    seed : int
        The seed of the run.
    stream : str
        The purpose of the numbers, such as ``"luminous"``; one stream per purpose.
    object_id : array_like of int64, shape (n,)
        Ids of the objects; never row numbers.
    draw : int
    sub_index : array_like of int, shape () or (n,)
        Further words of the counter, for objects that need more than one number; the second may be
        of each object.

    Returns
    -------
    ndarray of float64, shape (n,)
        ``(k + 0.5) 2**-52`` with k of 52 bits; the 53-bit form can round to 1.
    """
    result = np.empty(np.shape(object_id), dtype=np.float64)
    for start, words in _words(seed, stream, object_id, draw, sub_index):
        bits = words >> np.uint64(12)
        result[start : start + _BLOCK] = (bits.astype(np.float64) + 0.5) * 2.0**-52
    return result


def integers(
    seed: int,
    stream: str,
    object_id: ArrayLike,
    *,
    bits: int,
    draw: int = 0,
    sub_index: ArrayLike = 0,
) -> NDArray[np.int64]:
    """Return one uniform whole number of ``bits`` bits, from 1 to 63, for each object.

    Parameters
    ----------
    seed, stream, object_id, draw
        See `uniform`.
    bits : int
    sub_index : array_like of int, shape () or (n,)
        A further word of the counter, of all objects or of each.

    Returns
    -------
    ndarray of int64, shape (n,)
        From 0 to ``2**bits - 1``.
    """
    result = np.empty(np.shape(object_id), dtype=np.int64)
    for start, words in _words(seed, stream, object_id, draw, sub_index):
        result[start : start + _BLOCK] = (words >> np.uint64(64 - bits)).view(np.int64)
    return result


def _words(
    seed: int, stream: str, object_id: ArrayLike, draw: int, sub_index: ArrayLike
) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    """Yield the first row of each block of objects, and 64 bits for each of them."""
    ids = np.asarray(object_id, dtype=np.int64).view(np.uint64)
    further = np.broadcast_to(sub_index, ids.shape)
    key = stream_key(seed, stream)
    for start in range(0, ids.size, _BLOCK):
        block = ids[start : start + _BLOCK]
        counter = np.empty((block.size, 4), dtype=np.uint32)
        counter[:, 0] = block & _LOW
        counter[:, 1] = block >> _32
        counter[:, 2] = draw
        counter[:, 3] = further[start : start + _BLOCK]
        words = philox4x32(counter, key).astype(np.uint64)
        yield start, words[:, 0] << _32 | words[:, 1]


def of_snapshot(stream: str, copy: int) -> tuple[str, int]:
    """Return the stream of random numbers for a snapshot, and the copy of the box within it.

    In further snapshots an id is that of another galaxy.

    Parameters
    ----------
    stream : str
    copy : int
        As in the column ``copy``, which begins with the number of the snapshot.
    """
    snapshot, shift = divmod(copy, NEXT_SNAPSHOT)
    return (f"{stream}, snapshot {snapshot}" if snapshot else stream), shift


def even_points(number: int) -> NDArray[np.float64]:
    """Return points spread evenly over the unit cube, always the same, shape (3, number).

    They are the additive sequence of powers of 1/g, with g the root of g^4 = g + 1 (Roberts 2018).
    """
    g = 1.2207440846057596
    return np.asarray((0.5 + np.outer(g ** -np.arange(1.0, 4.0), np.arange(number))) % 1.0)
