"""Attributes of HDF5 files from strangers, as plain values of the kind that is asked for.

What is read goes through `mockgal.system.scalars`: a number may be a scalar, an array of one, or
text.
"""

from __future__ import annotations

from collections.abc import Collection
from math import inf, prod
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ...errors import HeaderError, MissingDatasetError, UnsafeInputError, listed
from ...system import scalars
from . import guard, safe, stored

MAX_ATTRIBUTE = 1 << 20  # bytes of an attribute
_SAFE_NAMES = (1, 14, 4)  # of HDF5, from which on damaged names do not crash it


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
            f"no group {group}; present: {listed(safe.members(file, '/'))}",
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
                f"no such attribute; present: {listed(sorted(_names(where, file, group)))}",
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
        nothing = declared.get_space().get_simple_extent_type() == h5py.h5s.NULL
        if stored.variable_text(kind) and not nothing:
            return guard.text(where, file.filename, group, name, MAX_ATTRIBUTE)
        if nothing or not _plain(kind):
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


def has(file: safe.File, group: str, name: str) -> bool:
    """Return whether an object is there and has the attribute, whatever that is."""
    if not safe.exists(file, group):
        return False
    with safe.translated(f"{safe.where_of(file, group)}@{name}"):
        return bool(h5py.h5a.exists(safe.the_object(file, group).id, name.encode()))


def names(file: safe.File, group: str) -> list[str]:
    """Return the names of the attributes of an object, sorted; none where there is no object."""
    if not safe.exists(file, group):
        return []
    where = safe.where_of(file, group)
    if h5py.version.hdf5_version_tuple < _SAFE_NAMES:
        with safe.translated(where):
            return sorted(_names(where, file, group))
    with safe.translated(where):
        owner = safe.the_object(file, group)
        safe.check_number_of_names(where, h5py.h5a.get_num_attrs(owner.id))
        return sorted(name for name in owner.attrs if isinstance(name, str))


def _or_default(file: safe.File, group: str, name: str, default: Any) -> tuple[str, Any, bool]:
    """Where an attribute is, its value, and whether that is ``default`` for want of another."""
    where = f"{safe.where_of(file, group)}@{name}"
    if default is not ... and not has(file, group, name):
        return where, default, True
    return where, attribute(file, group, name), False


def number(
    file: safe.File,
    group: str,
    name: str,
    default: Any = ...,
    *,
    above: float = -inf,
    least: float = -inf,
    most: float = inf,
) -> Any:
    """Return an attribute that must be one finite number: a scalar, an array of one, or text.

    Parameters
    ----------
    file, group, name, default
        As of `attribute`.
    above, least, most : float
        As of `mockgal.system.scalars.number`.

    Returns
    -------
    float, or ``default`` where there is no such attribute

    Raises
    ------
    MissingDatasetError
        No such attribute, and no ``default``.
    HeaderError
        It is no such number.
    """
    where, value, missing = _or_default(file, group, name, default)
    return value if missing else scalars.number(where, value, above=above, least=least, most=most)


def side(file: safe.File, group: str, name: str, default: Any = ...) -> Any:
    """Return the side of a cubic box, one number or three that are equal.

    Raises
    ------
    MissingDatasetError
        No such attribute, and no ``default``.
    HeaderError
        It is no such number.
    """
    where, value, missing = _or_default(file, group, name, default)
    return value if missing else scalars.side(where, value)


def count(
    file: safe.File,
    group: str,
    name: str,
    default: Any = ...,
    *,
    least: int = 0,
    most: int = scalars.MOST,
) -> Any:
    """Return an attribute that must be one whole number, as int; see `scalars.count`.

    Raises
    ------
    MissingDatasetError
        No such attribute, and no ``default``.
    HeaderError
        It is no such number.
    """
    where, value, missing = _or_default(file, group, name, default)
    return value if missing else scalars.count(where, value, least=least, most=most)


def text(
    file: safe.File, group: str, name: str, default: Any = ..., allowed: Collection[str] = ()
) -> Any:
    """Return an attribute that must be one text; see `mockgal.system.scalars.text`.

    Raises
    ------
    MissingDatasetError
        No such attribute, and no ``default``.
    HeaderError
        It is no text, or none of ``allowed``.
    """
    where, value, missing = _or_default(file, group, name, default)
    return value if missing else scalars.text(where, value, allowed)


def numbers(file: safe.File, group: str, name: str) -> NDArray[np.float64]:
    """Return an attribute of finite numbers, shape (n,) with n > 0.

    Raises
    ------
    MissingDatasetError
        No such attribute.
    HeaderError
        Not finite numbers.
    """
    where, value, _ = _or_default(file, group, name, ...)
    return scalars.numbers(where, value)


def counts(
    file: safe.File, group: str, name: str, default: Any = ..., most: int = scalars.MOST
) -> NDArray[np.int64]:
    """Return an attribute of one or more counts up to ``most``, as int64 of shape (n,).

    Raises
    ------
    MissingDatasetError
        No such attribute, and no ``default``.
    HeaderError
        Not counts.
    """
    where, value, _ = _or_default(file, group, name, default)
    return scalars.counts(where, value, most=most)
