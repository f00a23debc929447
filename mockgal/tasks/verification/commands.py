"""Verify mocks against what is recorded of them, and make them again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checks import Verification
    from .result import Reproduction


def verify(
    path: str | os.PathLike[str],
    *,
    inputs: bool = False,
    look_in: Iterable[str | os.PathLike[str]] = (),
) -> Verification:
    """Check a mock against all that is recorded of it: rows, columns, content, files and inputs.

    Parameters
    ----------
    path : path-like
        A mock that `build`, `write` or ``mockgal survey`` wrote, in any format or data model, with
        or without the record of its run; or the manifest of an ensemble, whose mocks are verified.
    inputs : bool
        Whether an input that is not found counts as wrong.
    look_in : iterable of path-like
        Folders in which inputs are looked for by name, beside where they were, the folder of the
        mock and the working directory.

    Returns
    -------
    Verification
        With a `Check` for each thing that was looked at. Nothing is raised for one that is wrong:
        ask ``is_right``, or call ``raise_if_wrong``.

    Raises
    ------
    InputError
        (or a subclass) There is no such file, or it is not one that mockgal wrote.
    UnsafeInputError
        The file declares sizes that no harmless file has.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mockgal.write(mockgal.paint(sim, "hod", seed=1), "mock.fits")
    >>> verification = mockgal.verify("mock.fits")
    >>> verification.is_right, len(verification.wrong)
    (True, 0)
    """
    from .verify import verified

    return verified(Path(path), inputs=inputs, look_in=look_in)


def reproduce(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    sim: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    look_in: Iterable[str | os.PathLike[str]] = (),
    threads: int | None = None,
    overwrite: bool = False,
) -> Reproduction:
    """Make a mock again from what is recorded of it, and say whether it is the same.

    Parameters
    ----------
    path : path-like
        A mock that `build` or ``mockgal survey`` wrote, in any format or data model; its randoms;
        or the manifest of an ensemble, of which each mock is made again. The record of the run
        beside it says where the inputs were; without it, they are looked for by name.
    out : path-like, optional
        Where the mock that is made again is written, with ``{seed}`` for an ensemble. By default
        nothing is written.
    sim : path-like or iterable of path-like
        The simulation, where it is now; of a light cone, that of each snapshot in their order. Of a
        survey of mocks, these.
    look_in : iterable of path-like
        Folders in which inputs are looked for by name, if they are not where they were.
    threads : int, optional
        Number of threads; the mock does not depend on it.
    overwrite : bool
        Replace the file if it exists.

    Returns
    -------
    Reproduction
        Nothing is raised for a mock that differs: ask ``is_identical``, or call
        ``raise_if_different``. With a network on another device, in tiles of another size, or with
        another version of torch, predictions agree within 1e-4, and so does the mock.

    Raises
    ------
    InputError
        (or a subclass) The mock is damaged or states no recipe; or an input is not found, or is
        another than it was.
    MockgalError
        It cannot be made or written: see `build`.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = check({"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "out": "a.fits"}, "me")
    >>> report = mockgal.build(recipe)
    >>> reproduction = mockgal.reproduce("a.fits", "again.fits")
    >>> reproduction.is_identical, reproduction.mocks[0].same_file
    (True, True)
    """
    from .reproduce import reproduced

    return reproduced(
        Path(path), out, sim=sim, look_in=look_in, threads=threads, overwrite=overwrite
    )
