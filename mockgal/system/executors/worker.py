"""A process that carries out tasks: lines of JSON on its standard input, and back.

It ends when its standard input does: with the process that started it, however that ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import warnings
from contextlib import suppress
from io import FileIO
from queue import SimpleQueue
from typing import Any

from ..files import signals
from .calls import called


def main() -> None:
    """Carry out tasks until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    tasks: SimpleQueue[bytes] = SimpleQueue()
    # Without a buffer, whose lock the thread would hold when the interpreter shuts down.
    lines = FileIO(0, closefd=False)
    threading.Thread(target=_receive, args=(lines, tasks), daemon=True).start()
    sys.unraisablehook = _unraisable
    with signals.ending_command(), warnings.catch_warnings(), suppress(BrokenPipeError):
        if not os.environ.get("MOCKGAL_DEBUG"):
            warnings.simplefilter("ignore")  # of libraries; our own are part of the outcome
        while True:
            outcome = called(*json.loads(tasks.get()))
            signals.check()  # its exception may be lost
            answers.write(json.dumps(outcome).encode() + b"\n")
            answers.flush()


def _unraisable(what: Any) -> None:
    """Print an exception that Python cannot raise from a callback, unless a signal caused it."""
    if signals.came() is None:
        sys.__unraisablehook__(what)


def _receive(stream: FileIO, tasks: SimpleQueue[bytes]) -> None:
    for line in stream:
        tasks.put(line)
    os._exit(0)  # outputs are whole or absent, whatever was being done
