"""One HDF5 file of what another refers to elsewhere, for those who trust it.

HDF5's own h5repack keeps links and virtual datasets as they are. A plain copy of the file takes
them away from what they refer to, and HDF5 then reads their values as 0 without a word.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py

from ...errors import InputError, in_python, in_shell, shown

_BLOCK = 1 << 26  # bytes copied at a time
_DEPTH = 32  # groups below each other


def advice(path: str) -> str:
    """The way out for a file with data in others: the command that makes one file of them."""
    call = f"in_one_file({in_python(path)}, 'NEW.hdf5')"
    code = in_shell(f"from mockgal.readers.hdf5.copying import in_one_file; {call}", "CODE")
    return f"if you trust its source, copy the data into one file: `python -c {code}`"


def in_one_file(old: str | os.PathLike[str], new: str | os.PathLike[str]) -> None:
    """Write a new HDF5 file with the data of another and those that it refers to.

    Virtual datasets, raw data in other files, and what links lead to become plain datasets. Other
    files are looked for where HDF5 does: beside the file that refers to them, then in the working
    directory. This opens whatever the file names: for files whose source is trusted.

    Parameters
    ----------
    old : path-like
    new : path-like
        Does not exist yet; it is removed again if something fails.

    Raises
    ------
    InputError
        ``new`` exists, or data are not where ``old`` refers to; HDF5 would give 0 for them.
    OSError, KeyError
        A file cannot be read, or a link leads nowhere.
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
    """Copy what is in a group, and what is below it; ``done`` has where objects were copied to."""
    if depth < 1:
        raise InputError(
            source.file.filename, f"groups more than {_DEPTH} deep", "fewer", "do not use this file"
        )
    target.attrs.update(source.attrs)
    for name in source:
        link = source.get(name, getlink=True)
        if isinstance(link, h5py.SoftLink) and name not in source:
            target[name] = link  # leads nowhere here as there
            continue
        found = source[name]
        info = h5py.h5o.get_info(found.id)
        key = (info.fileno, info.addr)
        if key in done:  # another name of the same object
            target[name] = target.file[done[key]]
            continue
        done[key] = f"{target.name.rstrip('/')}/{name}"
        if isinstance(found, h5py.Group):
            _copy_group(found, target.create_group(name), done, depth - 1)
        elif isinstance(found, h5py.Dataset) and (found.is_virtual or found.external):
            _copy_values(found, target, name)
        else:
            source.copy(found, target, name)


def _copy_values(found: h5py.Dataset, target: Any, name: str) -> None:
    """Copy a dataset whose values are in other files."""
    made = target.create_dataset(name, found.shape, found.dtype)
    made.attrs.update(found.attrs)
    values = found
    if found.is_virtual:
        _check_sources(found)
    else:
        values = _with_raw_data(found)
    if not values.shape:
        made[()] = values[()]
        return
    rows = max(1, _BLOCK * values.shape[0] // max(values.nbytes, 1))
    for start in range(0, values.shape[0], rows):
        made[start : start + rows] = values[start : start + rows]


def _check_sources(data: h5py.Dataset, depth: int = 8) -> None:
    """Raise if a file or dataset that a virtual dataset is made of is not there."""
    folders = [str(Path(data.file.filename).absolute().parent), os.getcwd()]
    for prefix in reversed(os.environ.get("HDF5_VDS_PREFIX", "").split(os.pathsep)):
        if prefix:
            folders.insert(0, prefix.replace("${ORIGIN}", folders[-2]))
    for source in data.virtual_sources():
        if "%b" in source.file_name + source.dset_name:
            continue  # as many as there are: a missing one ends the dataset
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
    """The dataset, its raw data found and whole: HDF5 gives 0 past the end of a file of them."""
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
    data.id.close()  # a dataset that is open keeps the folder it has
    return h5py.Dataset(h5py.h5d.open(file, path_in_file, access))


def _found(name: str, folders: list[str], data: h5py.Dataset) -> str:
    """The path of a file that a dataset refers to."""
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
        f"that it refers to {shown(what)}, which is not there",
        "the data that it is made of",
        "put them where it refers to",
    )
