"""The files that the painter of a mock needs to predict again: calibrations, weights and the like.

A mock states their names and digests, but no folders; the record of its run beside it states where
they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...types import GalaxyCatalog
from ..verification.inputs import compared, stated_inputs
from ..verification.records import read_record

_USE = "painter_options."


class NotThere(Exception):
    """A file is not there, or is another one; the message says so, as the end of a sentence."""


def with_files(options: Mapping[str, Any], galaxies: GalaxyCatalog, source: str) -> dict[str, Any]:
    """Return the options of a painter, with the paths where their files are now.

    They are looked for where they were, beside the mock, and in the working directory.

    Parameters
    ----------
    options : mapping
        As the mock states them: paths without their folders.
    galaxies : GalaxyCatalog
    source : str
        Path of the mock; another text for one in memory.

    Raises
    ------
    NotThere
        A file is nowhere, or is not the one that the mock was painted with.
    """
    mock = Path(source)
    beside = [mock.parent] if mock.is_file() else []
    record = read_record(mock) if mock.is_file() else None
    paths: dict[str, str] = {} if record is None else record["paths"]  # the digest tells if wrong
    uses = {f"{_USE}{key}": key for key in options}
    found = {**options}
    for one in stated_inputs(galaxies.provenance):
        if one.use not in uses:
            continue
        key, was = uses[one.use], paths.get(one.use, one.name)
        places = [Path(was), *(folder / one.name for folder in (*beside, Path.cwd()))]
        there = [place for place in places if place.exists()]
        same = [place for place in there if compared(one, place, None).same is not False]
        if not there:
            raise NotThere(
                f"its painter cannot predict again without {key} {was}: it is no longer there, nor "
                f"is {one.name} beside the mock or in the working directory (put the file back in "
                "one of these places, or build the mock again with one that is there)"
            )
        if not same:
            raise NotThere(
                f"its painter cannot predict again with {key} {there[0]}: this is not the file "
                f"that it was (put that with SHA-256 {one.was.sha256[:16]}... back, or build the "
                "mock again)"
            )
        found[key] = str(same[0].absolute())
    return found
