"""The code in a page of the documentation, found and run as a reader would run it."""

import contextlib
import io
import re
import shlex
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest

from mockgal.cli import main
from mockgal.errors import MockgalWarning

NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
FILE = re.compile(r"`([\w./-]+\.\w+)`:")
COMMANDS = ("mockgal", ".venv/bin/mockgal", "python", "make", "pip")
RUN = ("sh", "python")
CELL = "{code-cell}"  # of a notebook, which the site runs too


class Block(NamedTuple):
    """Code of a page; ``reason`` says why it is not run, if it is not.

    ``file`` is the path of the file that it is the content of, where the line before names one.
    """

    line: int
    language: str
    text: str
    reason: str | None = None
    file: str | None = None


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, fenced and indented, in their order.

    An indented block is of commands if its first word is one, else Python. A comment in the line
    before a block (or before the blank line before it) says that it is not run, and why.
    """
    lines, found, i = page.read_text(encoding="utf-8").split("\n"), [], 0
    while i < len(lines):
        start = i
        if lines[i].startswith("```"):
            language = lines[i][3:].strip()
            language = "python" if language == CELL else language
            while not lines[i + 1].startswith("```"):
                i += 1
            text = "\n".join(lines[start + 1 : i + 1])
            i += 2
        elif lines[i].startswith("    ") and not lines[i - 1].strip():
            while i < len(lines) and lines[i].startswith("    "):
                i += 1
            text = textwrap.dedent("\n".join(lines[start:i]))
            language = "sh" if text.split()[0] in COMMANDS else "python"
            if text.startswith(("$ ", "> ")):  # a command with what it prints
                language = "text"
        else:
            i += 1
            continue
        before = next((line for line in reversed(lines[:start]) if line.strip()), "")
        reason, file = NOT_RUN.fullmatch(before.strip()), FILE.fullmatch(before.strip())
        found.append(Block(start + 1, language, text, reason and reason[1], file and file[1]))
    return found


def run_commands(text: str) -> None:
    """Run the lines of a block of commands, which must all succeed: `mockgal` in this process.

    What it prints goes to a file where the line says so.
    """
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        printed = io.StringIO()
        *words, out = (*words[:-2], Path(words[-1])) if ">" in words else (*words, None)
        if words[0].endswith("mockgal"):
            with (
                warnings.catch_warnings(),
                contextlib.redirect_stdout(printed if out else sys.stdout),
                pytest.raises(SystemExit) as end,
            ):
                main(words[1:])
            if out is not None:
                out.write_text(printed.getvalue(), encoding="utf-8")
            assert end.value.code == 0, f"`{line}` ends with {end.value.code}"
        else:
            words[0] = sys.executable if words[0] == "python" else words[0]
            subprocess.run(words, check=True, timeout=300)


def run_page(page: Path, namespace: dict[str, object]) -> int:
    """Run the blocks of a page in the current folder; the number that was run."""
    number = 0
    for block in blocks_of(page):
        if block.reason or block.language not in RUN:
            continue
        number += 1
        try:
            if block.language == "sh":
                run_commands(block.text)
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", MockgalWarning)
                    exec(compile(block.text, page.name, "exec"), namespace)
        except Exception as error:
            error.add_note(f"{page}, line {block.line}:\n{block.text}")
            raise
    return number
