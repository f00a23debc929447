"""Attributes of HDF5 files from strangers, as plain values of the kind that is asked for.

Codes write a number as a scalar, as an array of one, or as text: all are taken.
"""

from __future__ import annotations

from math import prod
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import HeaderError, MissingDatasetError, UnsafeInputError
from . import guard, safe, stored

MAX_ATTRIBUTE = 1 << 20  # bytes of an attribute


def attribute(file: safe.File, group: str, name: str, default: Any = ...) -> Any:
    """An attribute as a plain value: text decoded, arrays of one number made scalars.

    Parameters
    ----------
    file : File
    group : str
        Group or dataset that carries it.
    name : str
    default : object, optional
        Given back where there is no such attribute; without it that is an error.

    Returns
    -------
    int, float, str, ndarray or list of str

    Raises
    ------
    MissingDatasetError
        No such attribute, and no ``default``; the message lists those present.
    UnsafeInputError
        It is absurdly large.
    HeaderError
        It is no number and no text.
    CorruptFileError
        It cannot be read.
    """
    where = f"{safe.where_of(file, group)}@{name}"
    if not safe.exists(file, group):
        if default is not ...:
            return default
        raise MissingDatasetError(
            where,
            f"no group {group}; present: " + ", ".join(safe.members(file, "/")),
            f"the attribute {name}",
            "check that the file is the one meant",
        )
    with safe.translated(where):
        owner = safe.the_object(file, group)
        if not h5py.h5a.exists(owner.id, name.encode()):
            if default is not ...:
                return default
            raise MissingDatasetError(
                where,
                "no such attribute; present: "
                + (", ".join(sorted(_names(where, file, group))) or "none"),
                f"{name}",
                "check that the file was written in full",
            )
        declared = h5py.h5a.open(owner.id, name.encode())
        kind = declared.get_type()
        size = prod(declared.shape or ()) * kind.get_size()
        if size > MAX_ATTRIBUTE:
            raise UnsafeInputError(
                where,
                f"an attribute of {size} bytes",
                f"at most {MAX_ATTRIBUTE}",
                "do not use this file",
            )
        if stored.variable_text(kind):
            return guard.text(where, file.filename, group, name, MAX_ATTRIBUTE)
        if declared.get_space().get_simple_extent_type() == h5py.h5s.NULL or not _plain(kind):
            raise HeaderError(
                where,
                "a value that is no number and no text",
                "a number or text",
                "write the attribute again with a standard type",
            )
        value = owner.attrs[name]
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(())[()]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value


def _plain(kind: h5py.h5t.TypeID) -> bool:
    """Whether a type is a number or text of fixed width, or an array of them."""
    if kind.get_class() == h5py.h5t.ARRAY:
        kind = kind.get_super()
    return stored.fixed_text(kind) or stored.number_type(kind) is not None


def _names(where: str, file: safe.File, group: str) -> list[str]:
    """Names of an object's attributes; HDF5 before 1.14.4 may crash where one is damaged."""
    safe.check_number_of_names(where, h5py.h5a.get_num_attrs(safe.the_object(file, group).id))
    return guard.names(where, file.filename, group)


def numbers(file: safe.File, group: str, name: str) -> NDArray[np.float64]:
    """An attribute of finite numbers, shape (n,); one number may be given as text.

    Raises
    ------
    MissingDatasetError
        No such attribute.
    HeaderError
        Not finite numbers.
    """
    value = attribute(file, group, name)
    try:
        result = np.atleast_1d(np.asarray(value)).astype(np.float64).ravel()
        good = bool(np.isfinite(result).all())
    except (TypeError, ValueError):
        good = False
    if not good:
        raise HeaderError(
            f"{safe.where_of(file, group)}@{name}",
            f"{value!r}",
            "finite numbers",
            "write the header again",
        )
    return result


def number(file: safe.File, group: str, name: str, default: Any = ...) -> Any:
    """An attribute that must be one finite number, given as a number, array of one, or text.

    Returns
    -------
    float, or ``default`` where there is no such attribute

    Raises
    ------
    MissingDatasetError
        No such attribute, and no ``default``.
    HeaderError
        It is no finite number.
    """
    if default is not ... and attribute(file, group, name, None) is None:
        return default
    values = numbers(file, group, name)
    if values.size != 1:
        raise HeaderError(
            f"{safe.where_of(file, group)}@{name}",
            f"{values.size} numbers",
            "one",
            "write the header again",
        )
    return float(values[0])


def counts(file: safe.File, group: str, name: str, default: Any = ...) -> NDArray[np.int64]:
    """An attribute of one or more counts, as int64 of shape (n,).

    Raises
    ------
    MissingDatasetError
        No such attribute, and no ``default``.
    HeaderError
        Not counts: negative, or above 2^62.
    """
    value = attribute(file, group, name, default)
    try:
        array = np.atleast_1d(np.asarray(value))
        result: NDArray[np.int64] = np.asarray([int(x) for x in array.ravel()], dtype=np.int64)
        good = bool(np.all((result >= 0) & (result < 1 << 62)))
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        raise HeaderError(
            f"{safe.where_of(file, group)}@{name}",
            f"{value!r}",
            "counts, none negative",
            "write the header again",
        )
    return result
