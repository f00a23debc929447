"""Copy an HDF5 file and the data that it refers to in others into one file, if it is trusted.

HDF5's own h5repack keeps links and virtual datasets as they are. A plain copy of the file separates
them from their data, and HDF5 then silently reads their values as 0.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py

from ...errors import InputError, in_python, in_shell, shown

_BLOCK = 1 << 26  # bytes copied at a time
_DEPTH = 32  # levels of groups


def advice(path: str) -> str:
    """Return the fix for a file with data in others: the command that makes one file of them."""
    call = f"in_one_file({in_python(path)}, 'NEW.hdf5')"
    code = in_shell(f"from mockgal.readers.hdf5.copying import in_one_file; {call}", "CODE")
    return f"if you trust its source, copy the data into one file: `python -c {code}`"


def in_one_file(old: str | os.PathLike[str], new: str | os.PathLike[str]) -> None:
    """Write a new HDF5 file with the data of another and the data that it refers to.

    Virtual datasets, raw data in other files, and targets of links become plain datasets. Other
    files are looked for where HDF5 does: beside the file that refers to them, then in the working
    directory. Every file that ``old`` names is opened: use this only if its source is trusted.

    Parameters
    ----------
    old : path-like
    new : path-like
        A new file; it is removed again if something fails.

    Raises
    ------
    InputError
        ``new`` exists, or data that ``old`` refers to are missing; HDF5 would return 0 for them.
    OSError, KeyError
        A file cannot be read, or a link is broken.
    """
    if os.path.lexists(new):
        raise InputError(new, "a file that exists already", "a new name", "give another name")
    try:
        with h5py.File(old, "r") as source, h5py.File(new, "x") as target:
            root = h5py.h5o.get_info(source.id)
            _copy_group(source, target, {(root.fileno, root.addr): "/"}, _DEPTH)
    except BaseException:
        with suppress(OSError):
            os.unlink(new)
        raise


def _copy_group(source: Any, target: Any, done: dict[tuple[int, ...], str], depth: int) -> None:
    """Copy a group and everything below it; ``done`` holds the new paths of copied objects."""
    if depth < 1:
        raise InputError(
            source.file.filename, f"groups more than {_DEPTH} deep", "fewer", "do not use this file"
        )
    target.attrs.update(source.attrs)
    for name in source:
        link = source.get(name, getlink=True)
        if isinstance(link, h5py.SoftLink) and name not in source:
            target[name] = link  # is broken in both files
            continue
        item = source[name]
        info = h5py.h5o.get_info(item.id)
        key = (info.fileno, info.addr)
        if key in done:  # another name of the same object
            target[name] = target.file[done[key]]
            continue
        done[key] = f"{target.name.rstrip('/')}/{name}"
        if isinstance(item, h5py.Group):
            _copy_group(item, target.create_group(name), done, depth - 1)
        elif isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
            _copy_values(item, target, name)
        else:
            source.copy(item, target, name)


def _copy_values(data: h5py.Dataset, target: Any, name: str) -> None:
    """Copy a dataset whose values are in other files."""
    copy = target.create_dataset(name, data.shape, data.dtype)
    copy.attrs.update(data.attrs)
    values = data
    if data.is_virtual:
        _check_sources(data)
    else:
        values = _with_raw_data(data)
    if not values.shape:
        copy[()] = values[()]
        return
    rows = max(1, _BLOCK * values.shape[0] // max(values.nbytes, 1))
    for start in range(0, values.shape[0], rows):
        copy[start : start + rows] = values[start : start + rows]


def _check_sources(data: h5py.Dataset, depth: int = 8) -> None:
    """Raise if a source file or source dataset of a virtual dataset is missing."""
    folders = [str(Path(data.file.filename).absolute().parent), os.getcwd()]
    for prefix in reversed(os.environ.get("HDF5_VDS_PREFIX", "").split(os.pathsep)):
        if prefix:
            folders.insert(0, prefix.replace("${ORIGIN}", folders[-2]))
    for source in data.virtual_sources():
        if "%b" in source.file_name + source.dset_name:
            continue  # a numbered series: the first missing file ends the dataset
        if source.file_name == ".":
            _check_source(data.file, source.dset_name, data, depth)
            continue
        path = _found(source.file_name, folders, data)
        with h5py.File(path, "r") as file:
            _check_source(file, source.dset_name, data, depth)


def _check_source(file: h5py.File, name: str, data: h5py.Dataset, depth: int) -> None:
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise _lost(data, f"{file.filename}:{name}")
    if found.is_virtual and depth:
        _check_sources(found, depth - 1)
    elif found.external:
        _with_raw_data(found)


def _with_raw_data(data: h5py.Dataset) -> h5py.Dataset:
    """Return the dataset with complete raw data; HDF5 would return 0 past the end of a file."""
    folder = str(Path(data.file.filename).absolute().parent)
    beside, left = True, data.nbytes
    for name, offset, size in data.external:
        path = _found(name, [folder, os.getcwd()], data)
        beside = beside and (os.path.isabs(name) or Path(path).parent == Path(folder, name).parent)
        held = min(size, max(os.stat(path).st_size - offset, 0), left)
        if held < min(size, left):
            raise _lost(data, f"{path}, bytes {offset + held} to {offset + min(size, left)}")
        left -= held
    if left:
        raise _lost(data, f"{left} bytes of raw data")
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_efile_prefix((folder if beside else os.getcwd()).encode())
    file, path_in_file = data.file.id, data.name.encode()
    data.id.close()  # an open dataset keeps its folder
    return h5py.Dataset(h5py.h5d.open(file, path_in_file, access))


def _found(name: str, folders: list[str], data: h5py.Dataset) -> str:
    """Return the path of a file that a dataset refers to."""
    if os.path.isabs(name):
        tried = [name, *(os.path.join(folder, os.path.basename(name)) for folder in folders[:1])]
    else:
        tried = [os.path.join(folder, name) for folder in folders]
    for path in tried:
        if os.path.isfile(path):
            return path
    raise _lost(data, name)


def _lost(data: h5py.Dataset, what: str) -> InputError:
    return InputError(
        f"{data.file.filename}:{data.name}",
        f"a reference to {shown(what)}, which does not exist",
        "the data that it refers to",
        "put the data there",
    )
