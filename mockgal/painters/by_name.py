"""Tables and weights that are given by name or by path: those that come with mockgal go first.

What a folder holds must not change what a name means: a download called ``tng100-1`` in the working
directory is another calibration, and the command that names ``tng100-1`` does not mean it.
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

    A path is what has a folder (``./name``) or the extension, or is no text; a name that is also
    that of a file is warned of.

    Parameters
    ----------
    given : str or path-like
    names : iterable of str
        Of what comes with the package.
    where, flag, extension, listed_by : str
        For messages: what is given, the option that gives it, the extension of its files, and the
        command that lists the names.

    Raises
    ------
    UsageError
        No such name, and no such file.
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
                stacklevel=4,
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
