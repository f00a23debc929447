"""Where the parts of a build are: a folder beside the mock, named after what is built."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import __version__
from ...errors import CorruptFileError, InputError, OutputError, UsageError, listening, shown
from ...system.files import plain_json
from ...system.files.atomic import atomic_output
from ...system.files.lock import output_error, output_lock
from ...system.files.plain_text import read_text
from ...system.progress import advance
from ..verification.inputs import recorded

if TYPE_CHECKING:
    from ...recipe import Recipe

MOST_PARTS = 100_000
FORMAT = "mockgal parts 1"
ENDING = ".parts-"
_PART = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?/([0-9]{1,9})")
_FOLDER = re.compile(rf"(.+){re.escape(ENDING)}([0-9a-f]{{16}})")
_LONGEST = 1_000_000  # characters of the description
AGAIN = "run `mockgal build --part` again"
_WAIT = 0.2  # seconds between two looks at a lock


class Parts(NamedTuple):
    """Which parts of a build to make: ``first`` to ``last`` of ``number``, from 1."""

    first: int
    last: int
    number: int

    @classmethod
    def of(cls, text: str) -> Parts:
        """Return the parts in a text such as ``3/8``, or ``1-4/8``.

        Raises
        ------
        UsageError
            It is no such text.

        Examples
        --------
        >>> Parts.of("3/8"), Parts.of("1-4/8")
        (Parts(first=3, last=3, number=8), Parts(first=1, last=4, number=8))
        """
        matched = _PART.fullmatch(text.strip())
        first, last, number = (
            (int(x) if x else 0 for x in matched.groups()) if matched else (0,) * 3
        )
        last = last or first
        if not 1 <= first <= last <= number <= MOST_PARTS:
            raise UsageError(
                "--part",
                shown(text),
                f"part i of n as i/n, or several as i-j/n, with 1 <= i <= j <= n <= {MOST_PARTS:,}",
                "such as --part 3/8, or --part 1-8/8 for all",
            )
        return cls(first, last, number)


@dataclass(frozen=True)
class Place:
    """The folder of a build in parts.

    Parameters
    ----------
    folder : Path
        ``<mock>.parts-<digest>``. The digest is of the recipe with the paths of its inputs, the
        number of parts and the version, so that no other build has the folder.
    number : int
        Number of parts.
    recipe : dict
        Keys of the recipe and their values, without its output.
    """

    folder: Path
    number: int
    recipe: dict[str, Any]

    @classmethod
    def of(cls, recipe: Recipe, number: int) -> Place:
        """Return the place of a recipe in so many parts; nothing is made."""
        values = {k: v for k, v in recorded("build", recipe, {})["recipe"].items() if k != "out"}
        facts = json.dumps([__version__, number, values], sort_keys=True)
        digest = hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()
        out = recipe.output
        return cls(out.with_name(f"{out.name}{ENDING}{digest}"), number, values)

    @classmethod
    def at(cls, folder: Path) -> Place:
        """Return the place in a folder.

        Raises
        ------
        InputError
            It is not one, or another version of mockgal made it.
        """
        described = folder / "build.json"
        try:
            facts = plain_json.load(
                read_text(described, _LONGEST, "the description of a build in parts", fix=AGAIN)
            )
            place = cls(folder, int(facts["parts"]), dict(facts["recipe"]))
            stated = facts["format"], facts["version"]
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptFileError(
                described, f"damaged ({error})", "what `mockgal build --part` wrote", AGAIN
            ) from error
        if stated != (FORMAT, __version__):
            raise InputError(
                described,
                f"parts of version {shown(stated[1])}",
                f"those of this version, {__version__}",
                "merge them with the version that made them, or remove them (mockgal clean "
                "--remove) and build again",
            )
        return place

    @property
    def out(self) -> Path:
        """The mock that the parts are of."""
        matched = _FOLDER.fullmatch(self.folder.name)
        assert matched is not None  # of, or found
        return self.folder.with_name(matched[1])

    def make(self) -> None:
        """Make the folder with its description, if it is not there."""
        described = self.folder / "build.json"
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise output_error(self.folder, error) from error
        if described.exists():
            return
        facts = {
            "format": FORMAT,
            "version": __version__,
            "parts": self.number,
            "recipe": self.recipe,
        }
        with waiting_for(described):  # parts of an array start together
            if not described.exists():
                with atomic_output(described, overwrite=True) as temporary:
                    temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")

    @property
    def whole(self) -> Path:
        """The file of what all parts share."""
        return self.folder / "whole.hdf5"

    def tile(self, part: int) -> Path:
        """Return the file of the halos of a part."""
        return self.folder / f"halos-{part}-of-{self.number}.hdf5"

    def part(self, part: int) -> Path:
        """Return the file of the galaxies of a part."""
        return self.folder / f"part-{part}-of-{self.number}.hdf5"


@contextmanager
def waiting_for(path: Path) -> Iterator[None]:
    """Hold the lock of an output in the block, as soon as no other run does."""
    while True:
        lock = output_lock(path)
        try:
            with listening(quiet=True):  # what a killed run has left is no news here
                lock.__enter__()
            break
        except OutputError as error:
            if not isinstance(error.__cause__, BlockingIOError):
                raise
        advance(0, 1, "waiting for the part that reads the simulation")
        time.sleep(_WAIT)
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def folders_of(path: Path) -> Iterator[Path]:
    """Yield the folders with parts of a mock; or the folder itself, if ``path`` is one."""
    if _FOLDER.fullmatch(path.name) and path.is_dir():
        yield path
        return
    yield from folders_in(path.parent, path.name)


def folders_in(folder: Path, mock: str | None = None) -> Iterator[Path]:
    """Yield the folders with parts in a folder, of all mocks or of one."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(folder, str(error), "a folder that can be read", "check it") from error
    for name in names:
        matched = _FOLDER.fullmatch(name)
        if matched and mock in (None, matched[1]) and (folder / name).is_dir():
            yield folder / name
