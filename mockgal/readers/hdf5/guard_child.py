"""Read objects that may hang or crash HDF5, for `guard.py`: a program, never imported.

It does not import mockgal. Requests and replies are lines of JSON, on standard input and output.
"""

import importlib
import json
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def limit(seconds: float, size: int) -> None:
    """Limit this process to ``seconds`` of CPU time and ``size`` more bytes of memory."""
    if sys.platform == "linux":
        with open("/proc/self/statm") as statm:
            size += int(statm.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or size < hard:
            resource.setrlimit(resource.RLIMIT_AS, (size, hard))
    # This clock counts CPU time only, so that a slow disk has all the time it needs.
    signal.setitimer(signal.ITIMER_PROF, seconds)


def text(h5py: Any, path: str, group: str, name: str, most: int) -> dict[str, Any]:
    """Return the shape of a text attribute, and its values in one list."""
    with h5py.File(path, "r") as file:
        attribute = file[group].attrs[name]
    shape = getattr(attribute, "shape", ())
    values = [str(value) for value in (attribute.ravel() if shape else [attribute])]
    if sum(map(len, values)) > most:
        raise ValueError(f"a text of more than {most} characters")
    return {"shape": shape, "values": values}


def rows(h5py: Any, path: str, name: str, start: int, stop: int) -> dict[str, Any]:
    """Read rows of a dataset, and discard them."""
    with h5py.File(path, "r") as file:
        data = file[name]
        data[start:stop] if data.shape else data[()]
    return {}


def names(h5py: Any, path: str, group: str) -> dict[str, Any]:
    """Return the names of an object's attributes."""
    with h5py.File(path, "r") as file:
        return {"names": [str(name) for name in file[group].attrs]}


READS: dict[str, Callable[..., dict[str, Any]]] = {"text": text, "rows": rows, "names": names}


def answer(reply: dict[str, Any]) -> None:
    """Send a reply."""
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer requests until there are no more."""
    for number in (signal.SIGPROF, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path[:] = json.loads(sys.stdin.readline())
    import h5py

    with suppress(ImportError, OSError, RuntimeError):
        importlib.import_module("hdf5plugin")  # adds filters
    answer({"ready": h5py.__version__})
    for line in sys.stdin:
        request = json.loads(line)
        limit(request["seconds"], request["bytes"])
        try:
            reply = READS[request["do"]](h5py, *request["arguments"])
        except Exception as error:
            reply = {"error": str(error) or type(error).__name__}
        signal.setitimer(signal.ITIMER_PROF, 0)
        answer(reply)


if __name__ == "__main__":
    main()
