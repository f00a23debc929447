"""A real pseudo-terminal for commands: what they write to it, and the screen that a person sees.

As a program it runs a command in a terminal and ends with its exit code, for machines that have no
`script`: ``python tests/terminal.py make demo``.
"""

import contextlib
import fcntl
import itertools
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import NamedTuple


class Shown(NamedTuple):
    """What a command did: exit code, every byte of its terminal, and what it wrote elsewhere."""

    code: int
    raw: str
    stdout: str
    columns: int

    @property
    def screen(self):
        """Lines as the terminal shows them in the end, those scrolled away first."""
        import pyte

        screen = pyte.HistoryScreen(self.columns, 50, history=10_000)
        stream = pyte.Stream(screen)
        stream.feed(self.raw)
        past = ["".join(line[x].data for x in range(self.columns)) for line in screen.history.top]
        return [line.rstrip() for line in [*past, *screen.display]]

    @property
    def text(self):
        """The screen with the lines joined that the terminal broke for want of width."""
        lines = self.screen
        joined = [lines[0]]
        for before, line in itertools.pairwise(lines):
            if len(before) == self.columns:
                joined[-1] += line
            else:
                joined.append(line)
        return "\n".join(joined).strip()


def run(arguments, *, columns=80, rows=24, cwd=None, env=(), stdout_piped=False, react=None):
    """Run a command as the leader of a terminal, and collect what it writes until it ends.

    Parameters
    ----------
    arguments : list of str
    columns, rows : int
        Size of the terminal.
    cwd : path-like, optional
    env : dict of str to str, optional
        Set beside the environment of this process; None takes a name out of it.
    stdout_piped : bool
        Standard output goes to a pipe, as in ``command | less``; the rest to the terminal.
    react : callable, optional
        ``react(text)`` is called with all of the terminal's text whenever some came; what it
        returns is typed in, such as ``"\\x03"`` for Ctrl-C.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI", "TTY_COMPATIBLE"):
        environment.pop(name, None)
    for name, value in dict(env).items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    reading, writing = os.pipe() if stdout_piped else (None, None)

    process = subprocess.Popen(
        # Who leads a session and opens a terminal has it for its own, so that Ctrl-C arrives.
        ["sh", "-c", f'exec "$0" "$@" < {os.ttyname(theirs)}', *map(str, arguments)],
        start_new_session=True,
        stdout=writing if stdout_piped else theirs,
        stderr=theirs,
        cwd=cwd,
        env=environment,
    )
    os.close(theirs)
    if stdout_piped:
        os.close(writing)
    try:
        raw = _collect(ours, react)
        stdout = b""
        if stdout_piped:
            with open(reading, "rb") as file:
                stdout = file.read()
        code = process.wait(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
    return Shown(code, raw, stdout.decode(), columns)


def _collect(ours, react, limit=300.0):
    """All that comes to the terminal until nobody has it open any more."""
    raw, end = bytearray(), time.monotonic() + limit
    while time.monotonic() < end:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # the last one to hold the terminal has closed it
            break
        if not piece:
            break
        raw += piece
        typed = react(raw.decode(errors="replace")) if react else None
        if typed:
            os.write(ours, typed.encode())
    return raw.decode(errors="replace")


def mockgal(*arguments, code=0, **options):
    """Run the command in a terminal; check its exit code, and that the cursor is there again."""
    shown = run([sys.executable, "-m", "mockgal", *arguments], **options)
    assert shown.code == code, shown.text
    assert "Traceback" not in shown.raw
    assert "E801" not in shown.raw
    assert shown.raw.count("\x1b[?25l") == shown.raw.count("\x1b[?25h"), "the cursor stays hidden"
    return shown


if __name__ == "__main__":
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = pty.spawn(sys.argv[1:])
    sys.exit(os.waitstatus_to_exitcode(status))
