"""What there is to know of a format: the page of formats in the reference is made from it."""

from __future__ import annotations

from typing import NamedTuple


class About(NamedTuple):
    """A format, as the class attribute ``about`` of its reader declares it.

    Parameters
    ----------
    title : str
        Format and code that writes it.
    reads : str
        What is read: hosts, subhalos, particles.
    units : str
        Units in the files.
    asked : str
        Facts that files of this format do not state, so that the user must.
    tested_on : str
        Files that the tests read: real ones, or ones made from a published layout.
    library : str
        Library that has to be installed beside mockgal; "" for none.
    """

    title: str
    reads: str
    units: str
    asked: str = ""
    tested_on: str = ""
    library: str = ""
