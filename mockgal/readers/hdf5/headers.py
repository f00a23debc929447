"""Attributes of untrusted HDF5 files, as plain values of the requested type.

Values are converted by `mockgal.system.scalars`: a number may be a scalar, an array of one number,
or text.
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
_SAFE_NAMES = (1, 14, 4)  # first version of HDF5 that damaged names do not crash


def attribute(file: safe.File, group: str, name: str, default: Any = ...) -> Any:
    """Return an attribute as a plain value: decoded text, or a scalar for an array of one number.

    Parameters
    ----------
    file : File
    group : str
        Group or dataset that has the attribute.
    name : str
    default : object, optional
        Returned if the attribute is missing; without ``default`` that is an error.

    Returns
    -------
    int, float, str, ndarray or list of str

    Raises
    ------
    MissingDatasetError
        The attribute is missing, and there is no ``default``; the message lists those present.
    UnsafeInputError
        The attribute is absurdly large.
    HeaderError
        The attribute is neither a number nor text.
    CorruptFileError
        The attribute cannot be read.
    """
    where = f"{safe.where_of(file, group)}@{name}"
    if not safe.exists(file, group):
        if default is not ...:
            return default
        raise MissingDatasetError(
            where,
            f"no group {group}; present: {listed(safe.members(file, '/'))}",
            f"the attribute {name}",
            "check that this is the right file",
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
                "check that the file was completely written",
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
                "a value that is neither a number nor text",
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
    """Return whether a type is a number or text of fixed width, or an array of these."""
    if kind.get_class() == h5py.h5t.ARRAY:
        kind = kind.get_super()
    return stored.fixed_text(kind) or stored.number_type(kind) is not None


def _names(where: str, file: safe.File, group: str) -> list[str]:
    """Return the names of an object's attributes; HDF5 before 1.14.4 may crash on damaged ones."""
    safe.check_number_of_names(where, h5py.h5a.get_num_attrs(safe.the_object(file, group).id))
    return guard.names(where, file.filename, group)


def has(file: safe.File, group: str, name: str) -> bool:
    """Return whether an object exists and has the attribute, whatever its value."""
    if not safe.exists(file, group):
        return False
    with safe.translated(f"{safe.where_of(file, group)}@{name}"):
        return bool(h5py.h5a.exists(safe.the_object(file, group).id, name.encode()))


def names(file: safe.File, group: str) -> list[str]:
    """Return the sorted names of an object's attributes; none if there is no object."""
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
    """Return the place of an attribute, its value or ``default``, and whether it is missing."""
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
        See `attribute`.
    above, least, most : float
        See `mockgal.system.scalars.number`.

    Returns
    -------
    float, or ``default`` if the attribute is missing

    Raises
    ------
    MissingDatasetError
        The attribute is missing, and there is no ``default``.
    HeaderError
        The attribute is no such number.
    """
    where, value, missing = _or_default(file, group, name, default)
    return value if missing else scalars.number(where, value, above=above, least=least, most=most)


def side(file: safe.File, group: str, name: str, default: Any = ...) -> Any:
    """Return the side of a cubic box, stored as one number or as three equal numbers.

    Raises
    ------
    MissingDatasetError
        The attribute is missing, and there is no ``default``.
    HeaderError
        The attribute is no such number.
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
        The attribute is missing, and there is no ``default``.
    HeaderError
        The attribute is no such number.
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
        The attribute is missing, and there is no ``default``.
    HeaderError
        The attribute is no text, or is not in ``allowed``.
    """
    where, value, missing = _or_default(file, group, name, default)
    return value if missing else scalars.text(where, value, allowed)


def numbers(file: safe.File, group: str, name: str) -> NDArray[np.float64]:
    """Return an attribute of finite numbers, shape (n,) with n > 0.

    Raises
    ------
    MissingDatasetError
        The attribute is missing.
    HeaderError
        The values are not finite numbers.
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
        The attribute is missing, and there is no ``default``.
    HeaderError
        The values are not counts.
    """
    where, value, _ = _or_default(file, group, name, default)
    return scalars.counts(where, value, most=most)
