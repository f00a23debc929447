"""Options of builds in parts, which are no keys of a recipe: they change no mock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from cloup import option, option_group

from ...errors import UsageError
from .values import WHOLE, Value

if TYPE_CHECKING:
    from ...system.executors.run import Executor

part_options = option_group(
    "Work in parts",
    option(
        "--parts",
        type=WHOLE,
        help="Build the mock in so many parts, several at a time: the same to the last byte as at "
        "once. A run that was stopped goes on, and keeps finished parts.",
    ),
    option(
        "--workers",
        type=WHOLE,
        help="Number of processes that paint parts, of one thread each (default: one for each "
        "processor).",
    ),
    option(
        "--scheduler",
        type=Value("ADDRESS", "file"),
        help="Let the workers of a scheduler of Dask paint the parts: its address, such as "
        "tcp://node1:8786, or its file. Needs the extra `cluster`.",
    ),
    option(
        "--part",
        type=Value("i/n"),
        help="Make part i of n, such as 3/8, or several, such as 1-8/8, and no mock: "
        "`mockgal merge` joins them. The halos are read once, by the part that comes first.",
    ),
)


class InParts(NamedTuple):
    """How to build in parts.

    Parameters
    ----------
    part : str or None
        Which to make, and no more.
    parts, workers : int or None
    scheduler : str or None
    """

    part: str | None
    parts: int | None
    workers: int | None
    scheduler: str | None

    @classmethod
    def taken(cls, options: dict[str, Any]) -> InParts | None:
        """Take these options from those of a command; None if there are none.

        Raises
        ------
        UsageError
            They contradict each other, or the number of parts is not stated.
        """
        how = cls(*(options.pop(name) for name in cls._fields))
        if not any(value is not None for value in how):
            return None
        if how.part is None:
            how._check()
        elif others := [f"--{name}" for name in cls._fields[1:] if getattr(how, name) is not None]:
            raise UsageError(
                "mockgal build",
                f"{' and '.join(others)} beside --part",
                "--part for parts alone, or --parts for the whole mock",
                "leave one out",
            )
        return how

    def _check(self) -> None:
        if self.parts is None:
            raise UsageError(
                "mockgal build",
                "workers, and no number of parts",
                "in how many parts to build, a few for each worker",
                "add --parts 32",
            )
        if self.workers is not None and self.scheduler is not None:
            raise UsageError(
                "mockgal build",
                "--workers beside --scheduler",
                "processes of this machine, or the workers that the scheduler has",
                "leave one out",
            )
        if self.workers is not None and self.workers < 1:
            raise UsageError("--workers", f"{self.workers}", "1 or more", "leave it out")

    def executor(self) -> Executor:
        """Return what paints the parts."""
        if self.scheduler is not None:
            from ...system.executors.cluster import Cluster

            return Cluster(self.scheduler)
        from ...system.executors.processes import Processes

        assert self.parts is not None
        most = self.workers or len(os.sched_getaffinity(0))
        return Processes(max(1, min(most, self.parts)))
