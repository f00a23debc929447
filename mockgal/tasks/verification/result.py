"""What came of making mocks again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import NotReproducedError, listed
from ...system.display import Lines, Shown
from .differences import Compared as Galaxies
from .inputs import Compared

IDENTICAL, WITHIN, DIFFERENT = "identical", "within tolerance", "different"
TOLERANCE = 1e-4  # of predictions of a network on another device, or in other tiles


@dataclass(frozen=True)
class MadeAgain:
    """A mock that was made again, against the mock that is recorded.

    Parameters
    ----------
    path : Path
        The mock.
    verdict : str
        ``"identical"``, ``"within tolerance"`` (of a network on another device or in other tiles)
        or ``"different"``.
    digests : tuple of str
        Content digests: the recorded one, and that of the mock made again. Of an identical mock
        they differ only if it was converted from another file of it, whose rows were rounded.
    numbers : tuple of int
        Galaxies of both.
    compared : Galaxies or None
        How they differ, if they do.
    versions : dict of str to tuple of str
        What it was made with, then and now: mockgal, Python and libraries.
    changes : dict of str to tuple
        What a network's last bits depend on, where it is not as it was.
    inputs : tuple of Compared
    recipe_from : str
        Where the recipe is recorded.
    randoms : tuple of str or None
        Content digests of the randoms of galaxies: the recorded one, and the one made again.
    wrote : tuple of Path
    same_file : bool or None
        Whether the file that was written is the mock's to the byte; None if none was written.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = check({"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "out": "m.fits"}, "me")
    >>> report = mockgal.build(recipe)
    >>> again = mockgal.reproduce("m.fits").mocks[0]
    >>> again.verdict, again.digests[0] == again.digests[1]
    ('identical', True)
    """

    path: Path
    verdict: str
    digests: tuple[str, str]
    numbers: tuple[int, int]
    compared: Galaxies | None
    versions: dict[str, tuple[str, str]]
    changes: dict[str, tuple[object, object]]
    inputs: tuple[Compared, ...]
    recipe_from: str
    randoms: tuple[str, str] | None = None
    wrote: tuple[Path, ...] = ()
    same_file: bool | None = None

    @property
    def other_versions(self) -> dict[str, tuple[str, str]]:
        """The versions that are not as they were."""
        return {name: pair for name, pair in self.versions.items() if pair[0] != pair[1]}


@dataclass(frozen=True, repr=False)
class Reproduction(Shown):
    """Whether a mock, or each of an ensemble, came out the same when it was made again.

    Parameters
    ----------
    path : Path
        The mock, or the manifest of an ensemble.
    mocks : tuple of MadeAgain

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = check({"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "out": "n.fits"}, "me")
    >>> report = mockgal.build(recipe)
    >>> mockgal.reproduce("n.fits").is_identical
    True
    """

    path: Path
    mocks: tuple[MadeAgain, ...]

    @property
    def is_identical(self) -> bool:
        """Whether all have the content digests that are recorded."""
        return all(one.verdict == IDENTICAL for one in self.mocks)

    @property
    def different(self) -> tuple[MadeAgain, ...]:
        """Those that differ by more than the tolerance of their painter."""
        return tuple(one for one in self.mocks if one.verdict == DIFFERENT)

    def error(self) -> NotReproducedError | None:
        """Return the error for mocks that differ; None if there are none."""
        if not self.different:
            return None
        first = self.different[0]
        others = [name for name, pair in first.other_versions.items() if pair[0]]
        found = f"content {first.digests[1][:16]} when it is made again"
        if len(self.mocks) > 1:
            found += f", and {len(self.different)} of {len(self.mocks)} mocks that differ"
        return NotReproducedError(
            first.path,
            found,
            first.digests[0][:16],
            f"install the versions of {listed(others)} that it was made with"
            if others
            else "please report it: all versions are as they were",
        )

    def raise_if_different(self) -> None:
        """Raise if a mock differs.

        Raises
        ------
        NotReproducedError
        """
        error = self.error()
        if error is not None:
            raise error

    def _lines(self) -> tuple[str, Lines]:
        rows = [
            (one.path.name, f"{one.verdict}: content {one.digests[1][:16]}") for one in self.mocks
        ]
        return f"{self.path}, made again", rows
