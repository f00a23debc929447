"""Who started the processes that train together: another program, or the first of them.

Lightning takes whatever a batch system leaves in the environment for a sign that it started one
process for each device. Inside a batch job that runs one process that is wrong: it waits for others
that nobody starts, or ends. So this module tells one from the other.
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
        Variable with the number of this one.
    sign : str
        Variable without which the others mean nothing.
    environment : type or None
        What Lightning has for it; None where training does not work under it.
    """

    name: str
    number: str
    rank: str
    sign: str
    environment: type[ClusterEnvironment] | None = None


# srun sets SLURM_STEP_NUM_TASKS; a batch script that calls no srun has SLURM_NTASKS alone.
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

    Variables of the environment count for those that it started only, and not for itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_started = started_by_another()
        # Where the first trains more than once, the others are there already.
        self._are_there = self._is_started or os.environ.get(_STARTED_BY) == str(os.getpid())
        os.environ[_STARTED_BY] = str(os.getppid() if self._is_started else os.getpid())

    @property
    def creates_processes_externally(self) -> bool:
        """Whether the other processes are there."""
        return self._are_there

    @property
    def main_address(self) -> str:
        """Where the first process is."""
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        """Where the first process listens: a port that is free, which it tells the others."""
        if not self._are_there:
            os.environ.pop("MASTER_PORT", None)
        return super().main_port

    def local_rank(self) -> int:
        """Return the number of this process."""
        return int(os.environ["LOCAL_RANK"]) if self._is_started else 0

    def node_rank(self) -> int:
        """Return the number of the machine, of which there is one."""
        return 0


def started_by_another() -> bool:
    """Return whether the first process of a training started this one."""
    return os.environ.get(_STARTED_BY) == str(os.getppid()) and "LOCAL_RANK" in os.environ


def launcher_of(environment: Mapping[str, str]) -> tuple[Launcher, int, int] | None:
    """Return the program that started this process as one of several, their number, and its own.

    Parameters
    ----------
    environment : mapping
        Variables of the environment.

    Returns
    -------
    tuple of Launcher, int, int, or None
        None for one process, whatever a batch system says of its job.
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
    """Return what tells Lightning of the processes, and note the number of this one.

    Parameters
    ----------
    devices : int
        Devices to train on, each of which has a process.

    Raises
    ------
    UsageError
        Another program started several processes, but not one for each device.
    """
    found = None if started_by_another() else launcher_of(os.environ)
    if found is None:
        own = OwnProcesses()
        _note_rank(own.local_rank())
        return own
    launcher, number, rank = found
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
        os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(number))  # as Lightning wants it said
    environment: Any = launcher.environment
    made: ClusterEnvironment = environment()
    return made


def _note_rank(rank: int) -> None:
    """Set what Lightning took from the environment when it was imported."""
    rank_zero_only.rank = rank  # type: ignore[attr-defined]


def warn_of_other_tasks(devices: int) -> None:
    """Warn where a batch job has several tasks, of which this process is the only one."""
    tasks = os.environ.get("SLURM_NTASKS", "1")
    if tasks != str(devices) and tasks != "1" and not started_by_another():
        warn(
            f"SLURM_NTASKS is {tasks}, but srun did not start this process: it trains alone, on "
            f"{devices} device{'s' * (devices > 1)} (--devices)",
            stacklevel=3,
        )
