"""The memory of a process of a build in parts: what it takes, and what a bound leaves room for."""

from __future__ import annotations

from typing import NamedTuple

from ...errors import ResourceError, UsageError

# Measured with zheng07, --populate and superslabs of CompaSO; rounded up.
FIXED = 400 << 20  # bytes: Python, libraries, compiled code, buffers; measured: 310 to 330 MB
OF_PIECE = 400  # bytes for a host of a piece that is read; measured: 160
OF_PART = 400  # bytes for a subhalo of a part, with its galaxy; measured: 230 to 250
PIECE_ROWS = 1 << 20  # hosts of a piece, if memory has room for them
_LEAST_ROWS = 1 << 14  # with fewer, files of pieces take longer than their rows
_SPARE = 1.1  # parts that are advised over those that are needed


class Bound(NamedTuple):
    """The largest memory of a process [bytes]; 0 for none."""

    memory: int = 0

    @property
    def piece_rows(self) -> int:
        """Hosts of a piece."""
        if not self.memory:
            return PIECE_ROWS
        return max(_LEAST_ROWS, min(PIECE_ROWS, (self.memory - FIXED) // OF_PIECE))

    def check(self) -> None:
        """Raise if there is no room for the smallest pieces.

        Raises
        ------
        ResourceError
        """
        least = FIXED + _LEAST_ROWS * OF_PIECE
        if self.memory and self.memory < least:
            raise ResourceError(
                "--memory",
                f"{_shown(self.memory)}",
                f"at least {_shown(least)}, of which {_shown(FIXED)} are for Python and libraries",
                f'say --memory "{-(-least // (1 << 20))} MiB", or more',
            )

    def parts_for(self, subhalos: int) -> int:
        """Return how many parts so many subhalos need at least; 0 without a bound."""
        room = (self.memory - FIXED) // OF_PART if self.memory else 0
        return -(-subhalos // max(room, 1)) if self.memory else 0

    def check_part(self, subhalos: int, parts: int) -> None:
        """Raise if there is no room for the largest part.

        Parameters
        ----------
        subhalos : int
            Of that part.
        parts : int

        Raises
        ------
        ResourceError
        """
        needed = FIXED + OF_PART * subhalos
        if not self.memory or needed <= self.memory:
            return
        more = int(_SPARE * parts * OF_PART * subhalos / (self.memory - FIXED)) + 1
        raise ResourceError(
            "--memory",
            f"{_shown(self.memory)}, where a part of {subhalos:,} subhalos takes {_shown(needed)}",
            f"parts that fit, of at most {(self.memory - FIXED) // OF_PART:,} subhalos",
            f"divide the build into more parts: --part 1-{more}/{more}, or --parts {more}",
        )

    def refuse(self, why: str) -> None:
        """Raise if halos have to be in memory as a whole, which no bound can be kept for.

        Raises
        ------
        UsageError
        """
        if self.memory:
            raise UsageError(
                "--memory",
                f"a bound for halos that are in memory as a whole ({why})",
                "hosts that are read in pieces: those of CompaSO, with the painters hod",
                "leave --memory out",
            )


def _shown(size: int) -> str:
    return f"{size / (1 << 30):.3g} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.4g} MiB"
