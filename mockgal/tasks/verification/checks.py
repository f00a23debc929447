"""What a verification says: checks, each with what was found and what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import NotAsWrittenError, listed
from ...system.display import Lines, Shown

RIGHT, WRONG, ABSENT, OPEN = "right", "wrong", "not found", "not checked"


@dataclass(frozen=True)
class Check:
    """A check of a verification.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What was checked.
    result : str
        ``"right"``, ``"wrong"``, ``"not found"`` or ``"not checked"``.
    found, expected : str
        In words.
    why : str
        What is wrong, or why it was not checked, in full.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mockgal.write(mockgal.paint(sim, "hod", seed=1), "mock.fits")
    >>> check = mockgal.verify("mock.fits").checks[0]
    >>> check.name, check.result
    ('format', 'right')
    """

    path: Path
    name: str
    result: str
    found: str = ""
    expected: str = ""
    why: str = ""

    @classmethod
    def equal(cls, path: Path, name: str, found: object, expected: object, why: str = "") -> Check:
        """Return the check that two values are equal."""
        right = found == expected
        result, why = (RIGHT, "") if right else (WRONG, why)
        return cls(path, name, result, _short(found), _short(expected), why)


def _short(value: object) -> str:
    """Return a value in words: of a digest the first digits."""
    if isinstance(value, int):
        return f"{value:,}"
    text = str(value)
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return text[:16] if is_digest else text or "none"


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """Whether a mock, each of an ensemble, or another file of mockgal is as it was written.

    Parameters
    ----------
    path : Path
        The mock, the manifest of an ensemble, or the other file.
    checks : tuple of Check

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mockgal.write(mockgal.paint(sim, "hod", seed=1), "mock.fits")
    >>> mockgal.verify("mock.fits").is_right
    True
    """

    path: Path
    checks: tuple[Check, ...]

    @property
    def is_right(self) -> bool:
        """Whether no check is wrong. Inputs that were not found are not, unless that was asked."""
        return not self.wrong

    @property
    def wrong(self) -> tuple[Check, ...]:
        """The checks that are wrong."""
        return tuple(check for check in self.checks if check.result == WRONG)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that were checked: of a manifest, it and its mocks."""
        return tuple(dict.fromkeys(check.path for check in self.checks))

    def of(self, path: Path) -> tuple[Check, ...]:
        """Return the checks of one file."""
        return tuple(check for check in self.checks if check.path == path)

    def error(self) -> NotAsWrittenError | None:
        """Return the error for a mock that is not as it was written; None if it is."""
        wrong = self.wrong
        if not wrong:
            return None
        number = len({check.path for check in wrong})
        several = f" in {number} of {len(self.files)} files" if len(self.files) > 1 else ""
        return NotAsWrittenError(
            self.path,
            f"{len(wrong)} of {len(self.checks)} checks wrong{several}: "
            + listed(dict.fromkeys(check.name for check in wrong)),
            "a file as mockgal wrote it, with its inputs as they were",
            "copy it again from where it is right, or make it again",
        )

    def raise_if_wrong(self) -> None:
        """Raise if a check is wrong.

        Raises
        ------
        NotAsWrittenError
        """
        error = self.error()
        if error is not None:
            raise error

    def _lines(self) -> tuple[str, Lines]:
        counts = dict.fromkeys((RIGHT, WRONG, ABSENT, OPEN), 0)
        for check in self.checks:
            counts[check.result] += 1
        title = ", ".join(f"{number} {result}" for result, number in counts.items() if number)
        rows = [check for check in self.checks if check.result != RIGHT]
        return f"{self.path}: {title}", [
            (check.name, f"{check.result}: {check.found}, expected {check.expected}")
            for check in rows
        ]
