"""Versions of the libraries that the last bits of numbers depend on."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache
from importlib import metadata

_ALWAYS = ("numpy", "scipy", "numba", "astropy")


def versions(*more: str) -> dict[str, str]:
    """Return the versions of Python, of numpy, scipy, numba and astropy, and of further libraries.

    Nothing is imported.

    Parameters
    ----------
    *more : str
        Names of distributions.

    Returns
    -------
    dict of str to str
        By name; beside them ``machine``, the kind of processor. Libraries that are not installed
        are left out.
    """
    names: Iterable[str] = dict.fromkeys((*_ALWAYS, *more))
    found = {name: _version(name) for name in names}
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: version for name, version in found.items() if version},
    }


@cache
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
