"""Blocks and checksum of the FITS standard (version 4.0, section 4.4.2.7 and appendix J)."""

from __future__ import annotations

import numpy as np

BLOCK = 2880  # bytes: headers and data are whole blocks
ALL_ONES = 0xFFFFFFFF
_EXCLUDED = frozenset(b":;<=>?@[\\]^_`")


class Checksum:
    """The 32-bit ones-complement sum of bytes that are added in pieces of any length.

    Parameters
    ----------
    start : int
        Sum of what came before, in whole words.
    """

    def __init__(self, start: int = 0) -> None:
        self._total = start
        self._tail = b""  # bytes that do not yet make a word

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """Add the bytes of ``data``, in the order they have in the file."""
        view = np.frombuffer(data, dtype=np.uint8)
        if self._tail:
            missing = 4 - len(self._tail)
            self._tail += view[:missing].tobytes()
            view = view[missing:]
            if len(self._tail) < 4:
                return
            self._total += int.from_bytes(self._tail, "big")
        whole = view.size - view.size % 4
        self._total += int(view[:whole].view(">u4").sum(dtype=np.uint64))
        self._tail = view[whole:].tobytes()

    @property
    def value(self) -> int:
        """The sum of all bytes so far, as if zeros filled the last word."""
        total = self._total + int.from_bytes(self._tail.ljust(4, b"\0"), "big")
        while total > ALL_ONES:
            total = (total & ALL_ONES) + (total >> 32)
        return total


def padded(size: int) -> int:
    """Return ``size`` in whole blocks [bytes]."""
    return -(-size // BLOCK) * BLOCK


def encode(value: int) -> str:
    """Give the sixteen characters that bring an HDU of sum ``value`` to a sum of all ones.

    Parameters
    ----------
    value : int
        Sum of the HDU with sixteen ASCII zeros as its CHECKSUM.
    """
    complement = (ALL_ONES - value).to_bytes(4, "big")
    characters = bytearray(16)
    for place, byte in enumerate(complement):
        # Four characters, offset by "0", that add up to the byte; pairs move apart, keeping the
        # sum, until all are letters or digits.
        four = [byte // 4 + byte % 4 + 0x30] + [byte // 4 + 0x30] * 3
        while any(character in _EXCLUDED for character in four):
            for first in (0, 2):
                if four[first] in _EXCLUDED or four[first + 1] in _EXCLUDED:
                    four[first] += 1
                    four[first + 1] -= 1
        characters[place::4] = bytes(four)
    return (characters[-1:] + characters[:-1]).decode()  # the value starts at byte 3 of a word
