"""Check the free-space lists of heaps of names, which HDF5 follows for ever if they are circular.

Groups of the older layout, which has no checksums, keep the names of their members in a local heap:
https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html, sections II, III.D and IV.A.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py

from ...errors import CorruptFileError
from .stored import COPY_AGAIN

_CONTINUATION, _SYMBOL_TABLE = 0x0010, 0x0011  # messages of an object's header
_END = 1  # marks the last free block
_MOST_BYTES = 1 << 20  # of a header's block; HDF5 itself writes none of this size


def end_of(path: Path) -> int:
    """Return the bytes that an HDF5 file has by its superblock; addresses must have eight bytes."""
    with open(path, "rb") as file:
        block = file.read(64)
    start = {0: 40, 1: 44}.get(block[8], 28)
    return _number(block[start : start + 8])


class Groups:
    """Visited groups of a file: the places of their headers, and which were checked.

    Parameters
    ----------
    file : h5py.File
    """

    def __init__(self, file: h5py.File) -> None:
        self._descriptor = file.id.get_vfd_handle()
        plist = file.id.get_create_plist()
        self._base = plist.get_userblock()
        self._offset, self._length = plist.get_sizes()  # bytes of an address, and of a size
        self.header = {"/": self._root()}  # addresses of headers, by path
        self._sound: set[str] = set()

    def check(self, where: str, path: str) -> None:
        """Raise if names cannot be looked up in the group at ``path``, whose header is known.

        Raises
        ------
        CorruptFileError
            The free-space list of its heap of names does not end, or leaves the heap.
        """
        if path in self._sound:
            return
        for kind, content in self._messages(self.header[path]):
            if kind == _SYMBOL_TABLE:
                self._check_heap(where, self._place(content[self._offset :]))
                break
        self._sound.add(path)

    def _take(self, start: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, self._base + start)

    def _place(self, raw: bytes) -> int:
        return _number(raw[: self._offset])

    def _size(self, raw: bytes) -> int:
        return _number(raw[: self._length])

    def _root(self) -> int:
        """Return the address of the root group's header, from the superblock."""
        block = self._take(0, 24 + 8 + 6 * self._offset)
        start = {0: 24 + 5 * self._offset, 1: 28 + 5 * self._offset}.get(
            block[8], 12 + 3 * self._offset
        )
        return self._place(block[start:])

    def _messages(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Yield type and content of the messages in an object's header of the older layout."""
        prefix = self._take(start, 16)
        if len(prefix) < 16 or prefix[0] != 1:
            return
        parts, seen = [(start + 16, _number(prefix[8:12]))], set[int]()
        for place, size in parts:  # the list grows in the loop
            if place in seen or size > _MOST_BYTES:
                return  # HDF5 detects it
            seen.add(place)
            block = self._take(place, size)
            at = 0
            while at + 8 <= len(block):
                kind, count = _number(block[at : at + 2]), _number(block[at + 2 : at + 4])
                content = block[at + 8 : at + 8 + count]
                yield kind, content
                if kind == _CONTINUATION:
                    parts.append((self._place(content), self._size(content[self._offset :])))
                at += 8 + count

    def _check_heap(self, where: str, start: int) -> None:
        heap = self._take(start, 8 + 2 * self._length + self._offset)
        if heap[:4] != b"HEAP":
            return  # HDF5 detects it
        size, free = self._size(heap[8:]), self._size(heap[8 + self._length :])
        data = self._place(heap[8 + 2 * self._length :])
        passed: set[int] = set()
        while free != _END:
            block = self._take(data + free, 2 * self._length) if free < size else b""
            if len(block) < 2 * self._length or free in passed:
                raise CorruptFileError(
                    where,
                    "a list of free space in the heap of names that "
                    + ("never ends" if free in passed else "leaves the heap"),
                    "a list of blocks within the heap",
                    COPY_AGAIN,
                )
            passed.add(free)
            free = self._size(block)


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
