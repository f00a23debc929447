"""Packages that only some formats need, with the way to install them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import UsageError


def optional(module: str, where: object) -> Any:
    """Return a module of a package that may not be installed.

    Parameters
    ----------
    module : str
        Full name: ``"pyarrow.parquet"``.
    where : object
        What needs it, for the message: a path or an option.

    Raises
    ------
    UsageError
        The module cannot be imported; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise UsageError(
            where,
            f"no package {package} ({error})",
            f"{package}, which this format needs",
            "pip install 'mockgal[formats]'",
        ) from error
