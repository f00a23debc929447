"""How much memory the machine can give, so that too much is never asked for."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from ..errors import ResourceError

CHECKED_FROM = 64 << 20  # bytes; less than this is simply asked for
PEAK = 4.0  # memory while a catalogue is checked, over that of its columns; measured: 2.7
GROUPS = Path("/sys/fs/cgroup")


def _table(path: Path) -> dict[str, int]:
    """Lines ``NAME NUMBER`` of a file of the kernel; empty where there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    rows = [line.replace(":", " ").split() for line in lines]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}


def peak_memory() -> int:
    """Return the most memory that this process has held at a time [bytes].

    By Linux's high-water mark of the process's own memory: ``ru_maxrss`` begins with that of the
    program which started it.
    """
    if mark := _table(Path("/proc/self/status")).get("VmHWM"):
        return mark * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _number(path: Path) -> int | None:
    """The number that is a file's only content; None for ``max`` and where there is no file."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _own_group() -> str:
    """The control group of this process (version 2), below `GROUPS`."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line[3:] for line in lines if line.startswith("0::")), "").strip("/")


def _left_in_groups() -> list[int]:
    """What the control groups of this process may still take, one entry for each limit."""
    folder, left = GROUPS / _own_group(), []
    while folder == GROUPS or GROUPS in folder.parents:
        limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
        if limit is not None and used is not None:
            # Cached pages of files count as used, but are given up when needed.
            left.append(limit - used + _table(folder / "memory.stat").get("inactive_file", 0))
        folder = folder.parent
    return left


def available() -> int:
    """Bytes of memory that this process may still take.

    The least of what the machine has free, its control groups and ``ulimit`` allow; where the
    system does not say what is free, all of its memory.
    """
    free = _table(Path("/proc/meminfo")).get("MemAvailable")
    least = [
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if free is None else free << 10
    ]
    least += _left_in_groups()
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _table(Path("/proc/self/status")).get("VmSize")
    if limit != resource.RLIM_INFINITY and used is not None:
        least.append(limit - (used << 10))
    return max(0, min(least))


def check_memory(
    where: str,
    size: int,
    fix: str = "take a machine with more memory, or close other programs",
) -> None:
    """Raise if ``size`` bytes cannot be had, before they are taken.

    Parameters
    ----------
    where : str
        What they are for.
    size : int
    fix : str
        The way out.

    Raises
    ------
    ResourceError
        They cannot.
    """
    if size < CHECKED_FROM:
        return
    free = available()
    if size > free:
        raise ResourceError(
            where,
            f"{size} bytes to hold in memory",
            f"at most the {free} that are free",
            fix,
        )
