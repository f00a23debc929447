"""Tables of ours in ECSV, read from files that need not be what they claim to be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptFileError, InputError, shown

if TYPE_CHECKING:
    from astropy.table import Table

_MAX_BYTES = 10_000_000


def read_ecsv(path: Path, form: str, *, what: str, fix: str, again: str) -> Table:
    """The table in an ECSV file whose metadata say that it is of the format ``form``.

    Parameters
    ----------
    path : Path
    form : str
        Value of ``meta["format"]``.
    what : str
        What such a file is, for messages.
    fix, again : str
        The way out if there is no such file, and if it is damaged or of another format.

    Raises
    ------
    InputError
        No ordinary file, too large, or no text.
    CorruptFileError
        Not ECSV, or of another format.
    """
    from astropy import units
    from astropy.cosmology import units as cosmology_units
    from astropy.table import Table

    try:
        size = path.stat().st_size
        if not path.is_file() or size > _MAX_BYTES:
            raise InputError(
                path,
                f"{size} bytes, or no ordinary file",
                f"a text file of at most {_MAX_BYTES} bytes",
                f"give an {what}",
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(
            path, f"an unreadable file ({error})", f"an ECSV file, an {what}", fix
        ) from error
    try:
        with units.add_enabled_units(cosmology_units):
            table = Table.read(text.splitlines(), format="ascii.ecsv")
    except Exception as error:  # astropy and PyYAML raise many kinds for bad text
        reason = " ".join(str(error).split())[:200]
        raise CorruptFileError(path, f"text that is not ECSV ({reason})", form, again) from error
    if table.meta.get("format") != form:
        raise CorruptFileError(path, f"format {shown(table.meta.get('format'))}", repr(form), again)
    return table
