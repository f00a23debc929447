"""Block sizes and checksums of the FITS standard (version 4.0, section 4.4.2.7 and appendix J)."""

from __future__ import annotations

import numpy as np

BLOCK = 2880  # bytes: headers and data are whole blocks
ALL_ONES = 0xFFFFFFFF
_EXCLUDED = frozenset(b":;<=>?@[\\]^_`")


class Checksum:
    """The 32-bit ones-complement sum of bytes, which may be added in pieces of any length.

    Parameters
    ----------
    start : int
        Sum of the preceding bytes, a whole number of words.
    """

    def __init__(self, start: int = 0) -> None:
        self._total = start
        self._tail = b""  # bytes of an incomplete word

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """Add the next bytes of the file."""
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
        """The sum of all bytes so far, with the last word padded with zeros."""
        total = self._total + int.from_bytes(self._tail.ljust(4, b"\0"), "big")
        while total > ALL_ONES:
            total = (total & ALL_ONES) + (total >> 32)
        return total


def padded(size: int) -> int:
    """Return ``size`` rounded up to whole blocks [bytes]."""
    return -(-size // BLOCK) * BLOCK


def encode(value: int) -> str:
    """Return the sixteen characters that make the sum of an HDU all ones.

    Parameters
    ----------
    value : int
        Sum of the HDU with sixteen ASCII zeros as its CHECKSUM.
    """
    complement = (ALL_ONES - value).to_bytes(4, "big")
    characters = bytearray(16)
    for place, byte in enumerate(complement):
        # Four characters, offset by "0", that add up to the byte. Pairs move apart, which keeps the
        # sum, until all are letters or digits.
        four = [byte // 4 + byte % 4 + 0x30] + [byte // 4 + 0x30] * 3
        while any(character in _EXCLUDED for character in four):
            for first in (0, 2):
                if four[first] in _EXCLUDED or four[first + 1] in _EXCLUDED:
                    four[first] += 1
                    four[first + 1] -= 1
        characters[place::4] = bytes(four)
    return (characters[-1:] + characters[:-1]).decode()  # the value starts at byte 3 of a word
