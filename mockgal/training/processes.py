"""Find out who started the processes that train together: another program, or the first of them.

Lightning takes any variable of a batch system as a sign that the system started one process for
each device. In a batch job with a single process this is wrong: Lightning ends, or waits for
processes that nobody starts. This module tells the two cases apart.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.rank_zero import rank_zero_only

from ..errors import UsageError, warn

_STARTED_BY = "MOCKGAL_TRAINING_STARTED_BY"  # id of the process that started the others


class Launcher(NamedTuple):
    """A program that starts several processes of one command.

    Parameters
    ----------
    name : str
    number : str
        Variable with the number of processes that it started.
    rank : str
        Variable with the rank of this process.
    sign : str
        Variable that must be set for the others to count.
    environment : type or None
        Lightning's class for it; None if training does not work under it.
    """

    name: str
    number: str
    rank: str
    sign: str
    environment: type[ClusterEnvironment] | None = None


# srun sets SLURM_STEP_NUM_TASKS; a batch script without srun has only SLURM_NTASKS.
LAUNCHERS = (
    Launcher("torchrun", "WORLD_SIZE", "RANK", "TORCHELASTIC_RUN_ID", TorchElasticEnvironment),
    Launcher("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_PROCID", SLURMEnvironment),
    Launcher("jsrun", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_RANK"),
    Launcher("mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_RANK"),
    Launcher("mpirun", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"),
    Launcher("mpirun", "PMI_SIZE", "PMI_RANK", "PMI_RANK"),
)


class OwnProcesses(LightningEnvironment):
    """Processes on this machine, of which the first starts the others.

    Variables of the environment count only in the processes that it started, not in the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_started = started_by_another()
        # If the first process trains more than once, the others are already running.
        self._are_there = self._is_started or os.environ.get(_STARTED_BY) == str(os.getpid())
        os.environ[_STARTED_BY] = str(os.getppid() if self._is_started else os.getpid())

    @property
    def creates_processes_externally(self) -> bool:
        """Whether the other processes are already running."""
        return self._are_there

    @property
    def main_address(self) -> str:
        """Address of the first process."""
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        """Port of the first process: a free one, which it passes to the others."""
        if not self._are_there:
            os.environ.pop("MASTER_PORT", None)
        return super().main_port

    def local_rank(self) -> int:
        """Return the rank of this process."""
        return int(os.environ["LOCAL_RANK"]) if self._is_started else 0

    def node_rank(self) -> int:
        """Return the rank of the machine: 0, since there is only one."""
        return 0


def started_by_another() -> bool:
    """Return whether the first process of a training started this one."""
    return os.environ.get(_STARTED_BY) == str(os.getppid()) and "LOCAL_RANK" in os.environ


def launcher_of(environment: Mapping[str, str]) -> tuple[Launcher, int, int] | None:
    """Return the program that started this process as one of several, their number, and its rank.

    Parameters
    ----------
    environment : mapping
        Variables of the environment.

    Returns
    -------
    tuple of Launcher, int, int, or None
        None for a single process, whatever a batch system states of its job.
    """
    for launcher in LAUNCHERS:
        if launcher.sign not in environment:
            continue
        try:
            number, rank = (int(environment[key]) for key in (launcher.number, launcher.rank))
        except (KeyError, ValueError):
            continue
        if number > 1:
            return launcher, number, rank
    return None


def cluster_environment(devices: int) -> ClusterEnvironment:
    """Return the environment that describes the processes to Lightning, and set the rank.

    Parameters
    ----------
    devices : int
        Number of devices to train on, each with a process.

    Raises
    ------
    UsageError
        Another program started several processes, but not one for each device.
    """
    started = None if started_by_another() else launcher_of(os.environ)
    if started is None:
        own = OwnProcesses()
        _note_rank(own.local_rank())
        return own
    launcher, number, rank = started
    _note_rank(rank)
    machines = os.environ.get("SLURM_STEP_NUM_NODES", "1") if launcher.name == "srun" else "1"
    if machines != "1":
        raise UsageError(
            "training processes",
            f"{number} processes that srun started on {machines} machines",
            "processes on one machine",
            "srun --nodes=1",
        )
    if launcher.environment is None or number != devices:
        start = f"start one without {launcher.name}: it starts one for each of --devices"
        if launcher.environment is not None:
            start = f"give --devices {number}, or {start}"
        raise UsageError(
            "training processes",
            f"{number} processes that {launcher.name} started ({launcher.number} is {number}), for "
            f"{devices} device{'s' * (devices > 1)}",
            "one process for each device",
            f"{start}. If this is the only process, `env -u {launcher.number} mockgal train ...`",
        )
    if launcher.name == "srun":
        os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(number))  # Lightning requires it
    make: Any = launcher.environment
    environment: ClusterEnvironment = make()
    return environment


def _note_rank(rank: int) -> None:
    """Correct the rank that Lightning took from the environment when it was imported."""
    rank_zero_only.rank = rank  # type: ignore[attr-defined]


def warn_of_other_tasks(devices: int) -> None:
    """Warn if a batch job has several tasks but this process is the only one."""
    tasks = os.environ.get("SLURM_NTASKS", "1")
    if tasks != str(devices) and tasks != "1" and not started_by_another():
        warn(
            f"SLURM_NTASKS is {tasks}, but srun did not start this process: it trains alone, on "
            f"{devices} device{'s' * (devices > 1)} (--devices)",
        )
