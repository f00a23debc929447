"""Tables and weights chosen by name or by path: those that come with mockgal take precedence.

The contents of a folder must not change the meaning of a name: a download called ``tng100-1`` in
the working directory is another calibration, and a command that names ``tng100-1`` does not mean
it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import UsageError, in_shell, shown, warn
from ..options import names_file


def by_name(
    given: str | os.PathLike[str],
    names: Iterable[str],
    *,
    where: str,
    flag: str,
    extension: str,
    listed_by: str,
) -> str | Path:
    """Return which of the shipped ``names`` is meant, or else the path of a file.

    A value with a folder (``./name``) or the extension, or that is not a string, is a path. A name
    that is also that of a file causes a warning.

    Parameters
    ----------
    given : str or path-like
        The name or path.
    names : iterable of str
        Names that come with the package.
    where, flag, extension, listed_by : str
        For messages: the kind of thing, its option, the extension of its files, and the command
        that lists the names.

    Raises
    ------
    UsageError
        There is neither such a name nor such a file.
    """
    text, names = os.fspath(given), tuple(names)
    path = Path(text)
    if not isinstance(given, str) or names_file(text, extension):
        return path
    is_file = os.path.isfile(path)
    if text in names:
        if is_file:
            warn(
                f"{where} {text}: the one that comes with mockgal is taken, not the file of this "
                f"name in the working directory. To take the file: {flag} ./{in_shell(text)}",
            )
        return text
    if is_file:
        return path
    raise UsageError(
        where,
        shown(text),
        f"the path of a file ({extension}), or one of those that come with mockgal "
        f"({', '.join(names) or 'none comes with mockgal'})",
        f"`{listed_by}` describes them",
    )
