"""The memory that the machine has available, checked before it is allocated."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from ..errors import ResourceError

CHECKED_FROM = 64 << 20  # bytes; smaller sizes are allocated without a check
PEAK = 4.0  # peak memory while a catalogue is checked, over that of its columns; measured: 2.7
BOMB_BYTES, BOMB_RATIO = 4 << 30, 1000  # data above both, times the file's size, are refused
GROUPS = Path("/sys/fs/cgroup")


def _table(path: Path) -> dict[str, int]:
    """Return the lines ``NAME NUMBER`` of a kernel file; empty if there is no such file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    rows = [line.replace(":", " ").split() for line in lines]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}


def peak_memory() -> int:
    """Return the peak memory of this process so far [bytes].

    On Linux this is the high-water mark of the process's own memory: ``ru_maxrss`` starts from that
    of the program that launched it.
    """
    if mark := _table(Path("/proc/self/status")).get("VmHWM"):
        return mark * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _number(path: Path) -> int | None:
    """Return the number that is a file's only content; None for ``max`` or if there is no file."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _own_group() -> str:
    """Return the control group (version 2) of this process, relative to `GROUPS`."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line[3:] for line in lines if line.startswith("0::")), "").strip("/")


def _left_in_groups() -> list[int]:
    """Return the bytes left under each limit of this process's control groups."""
    folder, left = GROUPS / _own_group(), []
    while folder == GROUPS or GROUPS in folder.parents:
        limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
        if limit is not None and used is not None:
            # Cached file pages count as used, but the kernel frees them when needed.
            left.append(limit - used + _table(folder / "memory.stat").get("inactive_file", 0))
        folder = folder.parent
    return left


def available() -> int:
    """Return the memory that this process may still allocate [bytes].

    This is the minimum of the machine's free memory and what control groups and ``ulimit`` allow.
    If the system does not report free memory, its total memory is used.
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
    """Raise if ``size`` bytes are not available; call it before allocating them.

    Parameters
    ----------
    where : str
        What the memory is for.
    size : int
        [bytes]
    fix : str
        What the user can do about it.

    Raises
    ------
    ResourceError
        The memory is not available.
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
