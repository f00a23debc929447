"""Files that hold a density grid, opened without reading a value: HDF5, NumPy and BigFile."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import (
    CorruptFileError,
    FormatError,
    HeaderError,
    MissingDatasetError,
    MockgalError,
    UnsafeInputError,
    in_python,
    listed,
)
from ...layout import DENSITY, GRID_ATTRIBUTES, MATTER, QUANTITY
from .. import raw
from ..hdf5 import headers, safe
from ..hdf5.stored import COPY_AGAIN
from . import bigfile

Array = NDArray[Any]

HDF5, NPY = b"\x89HDF", b"\x93NUMPY"
_MOST_NAMES = 64  # datasets that are looked at
_BLOCK = "Field"  # of nbodykit
_RESAMPLERS = {
    "ngp": "NGP",
    "nnb": "NGP",
    "nearest": "NGP",
    "cic": "CIC",
    "tsc": "TSC",
    "pcs": "PCS",
}


class GridFile(NamedTuple):
    """A cube of numbers, and what its file states.

    Parameters
    ----------
    format : str
        What the file is, in words.
    where : str
        ``FILE:/DATASET``, for messages.
    files : tuple of Path
    size : int
        Voxels along each side.
    stated : mapping
        Those of `mockgal.layout.GRID_ATTRIBUTES` that the file states, and its quantity.
    read : callable
        ``read(start, stop)`` returns rows of the first axis, shape (stop - start, N, N).
    block : int
        Rows that are stored as a whole: reading one takes the time of all.
    """

    format: str
    where: str
    files: tuple[Path, ...]
    size: int
    stated: Mapping[str, Any]
    read: Callable[[int, int], Array]
    block: int = 1


def recognise(path: Path) -> bool:
    """Return whether a path may hold a grid."""
    if path.is_dir():
        return _block_at(path, None) is not None
    return path.is_file() and raw.begin(path, len(NPY)).startswith((HDF5, NPY))


def open_grid(path: Path, dataset: str | None = None) -> GridFile:
    """Open the grid at a path.

    Parameters
    ----------
    path : Path
        A file of HDF5 or NumPy, or a folder of BigFile.
    dataset : str, optional
        Dataset or block of the grid; by default the one that there is.

    Raises
    ------
    FormatError
        The path is nothing of this kind.
    MissingDatasetError, HeaderError
        There is no cube of real numbers, or there are several.
    UnsafeInputError
        The file holds Python objects, or links to other files.
    CorruptFileError
        The file is shorter or longer than what it declares.
    """
    if path.is_dir():
        return _open_bigfile(path, dataset)
    begin = raw.begin(path, len(NPY)) if path.is_file() else b""
    if begin == NPY:
        return _open_npy(path)
    if not begin.startswith(HDF5) and path.suffix not in (".hdf5", ".h5"):
        raise FormatError(
            path,
            f"a file that begins with {begin!r}",
            "matter: particles or a density grid",
            "give a snapshot (Gadget in binary or HDF5, AREPO, FastPM, MP-Gadget), or a grid in "
            "HDF5, NumPy (.npy) or BigFile",
        )
    with safe.open_hdf5(path) as file:
        name = dataset or _only_cube(path, file)
    return open_hdf5(path, name)


def open_hdf5(path: Path, dataset: str = DENSITY) -> GridFile:
    """Open a cubic dataset of an HDF5 file, with the attributes that it has."""
    where = f"{path}:/{dataset}"
    stated: dict[str, Any] = {}
    with safe.open_hdf5(path) as file:
        data = safe.dataset(file, dataset)
        size = _side(where, data.shape)
        for name in GRID_ATTRIBUTES:
            if headers.attribute(file, dataset, name, None) is None:
                continue
            if name == "boxsize":
                stated[name] = headers.side(file, dataset, name)
            elif name == "redshift":
                stated[name] = headers.number(file, dataset, name)
            else:
                stated[name] = headers.text(file, dataset, name)
        stated[QUANTITY] = headers.text(file, dataset, QUANTITY, MATTER)
        block = min(int(data.chunks[0]), size) if data.chunks else 1
        if block * size**2 * data.dtype.itemsize > safe.MAX_CHUNK:
            block = 1  # a row of stored chunks is too large to hold

    def read(start: int, stop: int) -> Array:
        with safe.open_hdf5(path) as file:
            return safe.read_rows(safe.dataset(file, dataset), start, stop)

    return GridFile("density grid in HDF5", where, (path,), size, stated, read, block)


def _only_cube(path: Path, file: safe.File) -> str:
    """Return the name of the grid: `DENSITY`, or the only cube at the top of the file."""
    if safe.exists(file, DENSITY):
        return DENSITY
    cubes = []
    for name in sorted(safe.members(file, "/"))[:_MOST_NAMES]:
        try:
            shape = safe.dataset(file, name).shape
        except MockgalError:
            continue
        if len(shape) == 3 and len(set(shape)) == 1:
            cubes.append(name)
    if len(cubes) != 1:
        present = listed(sorted(safe.members(file, "/")), none="nothing")
        raise MissingDatasetError(
            path,
            f"several cubes of numbers, {listed(cubes)}"
            if cubes
            else f"no cube of numbers at the top; present there: {present}",
            "a density grid, one cubic dataset",
            "name it with --matter-dataset",
        )
    return cubes[0]


def _open_npy(path: Path) -> GridFile:
    """Open an array of NumPy: its header is read by NumPy, its numbers are not mapped.

    A file that is cut short while it is mapped would kill the process.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # whatever a damaged header makes of Python's parser
        if "object" in str(error):
            raise UnsafeInputError(
                path,
                "Python objects, which may run code when they are loaded",
                "numbers",
                "do not use this file; ask its author for an array of numbers",
            ) from error
        raise CorruptFileError(
            path, f"a damaged array ({error})", "an array that NumPy wrote", COPY_AGAIN
        ) from error
    array = f"np.load({in_python(path)}, mmap_mode='r')"
    size = _side(f"{path}", found.shape, array)
    kind, in_order = found.dtype, bool(found.flags.c_contiguous)
    if kind.kind not in "iuf" or kind.itemsize > 8 or not in_order:
        again = f"np.save('grid.npy', np.ascontiguousarray({array}, dtype='f8'))"
        raise HeaderError(
            path,
            f"numbers of type {kind.str}" + " in Fortran's order" * (not in_order),
            "real numbers of at most 8 bytes, in C's order",
            f"in Python, with numpy as np: {again}"
            if kind.kind in "iuf"
            else "write the grid in real space, as an array of numbers",
        )
    offset, dtype = int(found.offset), found.dtype
    del found
    actual = raw.size_of(path, "an array of NumPy")
    if actual != offset + size**3 * dtype.itemsize:
        raise CorruptFileError(
            path,
            f"{actual} bytes",
            f"{offset + size**3 * dtype.itemsize}, for {size}^3 numbers of type {dtype.str}",
            COPY_AGAIN,
        )
    rows = raw.of_file(path, "values", offset, size, dtype, size**2)
    return GridFile("NumPy array", str(path), (path,), size, {}, partial(_cube, rows, size))


def _cube(rows: raw.Rows, size: int, start: int, stop: int) -> Array:
    return rows.read(start, stop).reshape(stop - start, size, size)


def _block_at(path: Path, dataset: str | None) -> Path | None:
    """Return the block of a grid: the path itself, the one that is named, or nbodykit's."""
    for block in (path, path / (dataset or _BLOCK)):
        if bigfile.is_block(block) and "ndarray.shape" in bigfile.attributes(block):
            return block
    return None


def _open_bigfile(path: Path, dataset: str | None) -> GridFile:
    place = _block_at(path, dataset)
    if place is None:
        present = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
        raise FormatError(
            path,
            f"a folder without particles and without a grid; folders in it: {listed(present)}",
            "a snapshot, or a BigFile with a block whose attribute ndarray.shape is that of a cube",
            "give the folder of the snapshot; or name the block with --matter-dataset",
        )
    attributes = bigfile.attributes(place)
    where = f"{place / bigfile.ATTRIBUTES}"
    shape = bigfile.numbers(place, attributes, "ndarray.shape", 3)
    size = _side(f"{where}@ndarray.shape", tuple(int(n) for n in shape))
    block = bigfile.open_block(place)
    rows = bigfile.rows_of(block, 1)
    if rows.number != size**3:
        raise HeaderError(
            f"{place}", f"{rows.number} numbers", f"{size}^3, as ndarray.shape says", COPY_AGAIN
        )
    stated: dict[str, Any] = {}
    side = bigfile.number(place, attributes, "BoxSize")
    if side is not None:
        stated["boxsize"] = side
    painted = str(attributes.get("resampler", "")).strip('"').rpartition('"')[2].lower()
    if painted in _RESAMPLERS:
        stated["mas"] = _RESAMPLERS[painted]

    def read(start: int, stop: int) -> Array:
        return rows.read(start * size**2, stop * size**2).reshape(stop - start, size, size)

    facts = (place / bigfile.HEADER, place / bigfile.ATTRIBUTES)
    return GridFile(
        "density grid in BigFile", str(place), (*facts, *block.files), size, stated, read
    )


def _side(where: str, shape: tuple[int, ...], array: str = "") -> int:
    """Return N of a shape (N, N, N).

    Raises
    ------
    HeaderError
        It is another shape.
    """
    if len(shape) == 3 and len(set(shape)) == 1 and shape[0] >= 1:
        return int(shape[0])
    fix = "write the grid as one cubic dataset"
    if array and len(shape) == 4 and len(set(shape[1:])) == 1:
        fix = f"take one of the {shape[0]}, in Python with numpy as np: "
        fix += f"np.save('grid.npy', {array}[0])"
    raise HeaderError(where, f"shape {shape}", "a cube (N, N, N)", fix)
