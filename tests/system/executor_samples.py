"""Tasks for executors, which other processes import by name."""

import os
import signal
import time
from pathlib import Path

from mockgal.errors import BadValueError, warn


def doubled(task):
    warn("a warning")
    print("a line that is no answer")
    return 2 * task["n"]


def where(task):
    time.sleep(task.get("seconds", 0.0))
    threads = os.environ["NUMBA_NUM_THREADS"]
    return {"pid": os.getpid(), "cwd": os.getcwd(), "threads": threads}


def killed(task):
    """Kill this process, as often as the task says; its calls are counted in a file."""
    calls = Path(task["calls"])
    with calls.open("a") as file:
        file.write(f"{task['n']}\n")
    if calls.read_text().split().count(str(task["n"])) <= task["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return task["n"]


def poisoned(task):
    if task["n"] == 3:
        raise BadValueError("file.hdf5:/mass", "poison", "a mass", "do without")
    return task["n"]


def broken(task):
    raise ZeroDivisionError(str(task))


def full(task):
    raise OSError(28, "No space left on device", "x.fits")
