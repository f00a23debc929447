"""Damage by the hundred thousand: all formats and all parsers, with a table of what came of it.

    python tests/campaign.py [--mutations 100000] [--first 10000] [--processes 2] [KIND ...]

A kind is a way to damage something: `bytes/NAME` and `stated/NAME` for the formats of
`readers/fuzz_child.py`, and `NAME/PART` for the modules of `mutations/`. Each mutation is chosen by
its number alone, so that a case can be tried again; what must not happen is printed with that
number, and makes the exit code 1. The suite runs a few of each kind.
"""

import argparse
import importlib
import os
import random
import re
import select
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SECONDS = 600  # for one case, which takes milliseconds, or minutes where others have the cores
MEMORY = 6 << 20  # kB of address space
BATCH = 500
GOOD = {"same", "refused", "explained", "untold", "warned"}

for _folder in ("readers", "mutations"):
    sys.path.append(str(HERE / _folder))


MODULES = ("text", "checkpoints", "values")


def parts(name: str) -> dict[str, Callable[[int], str]]:
    """Return the parts of a module of `mutations/`: each tries the mutation of a number."""
    module = importlib.import_module(name)
    if name == "text":
        return {part: partial(_one, kind) for part, kind in module.KINDS.items()}
    if name == "checkpoints":
        return {kind.__name__.strip("_"): partial(_forged, module, kind) for kind in module.KINDS}
    if name == "values":
        return {part: partial(_valued, module, part) for part in module.COLUMNS}
    return {"all": partial(_one, module)}


def _one(kind: Any, number: int) -> str:
    """Try one mutation."""
    (mutation,) = kind.mutations(random.Random(number), 1)
    return _in_words(kind.outcome(mutation))


def _forged(module: Any, kind: Any, number: int) -> str:
    return _in_words(module.outcome(kind(random.Random(number))))


def _valued(module: Any, part: str, number: int) -> str:
    """Try one mutation of the numbers of a format."""
    (mutation,) = module.mutations(np.random.default_rng(number), 1, (part,))
    outcome = module.outcome(mutation)
    return "explained" if outcome in ("warned", "within") else _in_words(outcome)


def _in_words(outcome: str) -> str:
    """Return "same" of what is taken, "refused" of errors of ours, or what else came of it."""
    if outcome == "ok":
        return "same"
    return "refused" if re.fullmatch(r"E\d+|refused .*", outcome) else outcome


def kinds() -> dict[str, tuple[str, ...]]:
    """Return the command that tries mutations of each kind, without their numbers."""
    from fuzz_child import FIXTURES, STATED

    child = str(HERE / "readers" / "fuzz_child.py")
    found = {f"bytes/{name}": (child, name) for name in FIXTURES}
    found |= {f"stated/{name}": (child, name) for name in STATED}
    for name in MODULES:
        for part in parts(name):
            found[f"{name}/{part}"] = (str(Path(__file__).resolve()), f"{name}/{part}")
    return found


def command(kind: str, start: tuple[str, ...], folder: Path, first: int, count: int) -> list[str]:
    """Return the command that tries so many mutations."""
    words = [sys.executable, *start, str(folder), str(first), str(count)]
    return words + ["stated"] * kind.startswith("stated/")


def tried(kind: str, start: tuple[str, ...], first: int, count: int) -> dict[int, str]:
    """Return what came of each mutation; one that hangs or kills its process says so."""
    found: dict[int, str] = {}
    with TemporaryDirectory() as folder:
        while count > 0:
            words = command(kind, start, Path(folder) / "f", first, count)
            shell = ["/bin/sh", "-c", f'ulimit -v {MEMORY}; exec "$@"', "sh", *words]
            with subprocess.Popen(shell, stdout=subprocess.PIPE, text=True) as child:
                for number in range(first, first + count):
                    ready, _, _ = select.select([child.stdout], [], [], SECONDS)
                    line = child.stdout.readline() if ready else ""
                    if line:
                        found[number] = line.split(maxsplit=1)[1].strip()
                        continue
                    child.kill()
                    found[number] = f"ended with {child.wait()}" if ready else "hung"
                    break
            done = number + 1 - first
            first, count = first + done, count - done
    return found


def main() -> int:
    """Try the mutations and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--mutations", type=int, default=100_000, help="in all, shared equally")
    parser.add_argument("--first", type=int, default=10_000, help="number of the first")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    known = kinds()
    chosen = {kind: known[kind] for kind in options.kinds or known}
    each = -(-options.mutations // len(chosen))
    last = options.first + each
    jobs = [
        (kind, start, first, min(BATCH, last - first))
        for first in range(options.first, last, BATCH)
        for kind, start in chosen.items()
    ]
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in chosen}
    began, wrong = time.monotonic(), []
    with ThreadPoolExecutor(options.processes) as pool:
        for job, found in zip(jobs, pool.map(lambda job: tried(*job), jobs), strict=True):
            kind = job[0]
            for number, what in found.items():
                outcome = what.split()[0].rstrip(":") if what in GOOD else "wrong"
                counts[kind][outcome] += 1
                if outcome == "wrong":
                    wrong.append(f"{kind} {number}: {what[:400]}")
                    print(wrong[-1], file=sys.stderr, flush=True)
            if sys.stderr.isatty():
                done = sum(sum(counter.values()) for counter in counts.values())
                rate = done / (time.monotonic() - began)
                left = (each * len(chosen) - done) / rate
                print(f"\r{done:,} done, {rate:.0f}/s, {left:.0f} s left", end="", file=sys.stderr)
    columns = [*sorted(GOOD), "wrong"]
    total = sum(counts.values(), Counter())
    print(f"{'kind':<26}" + "".join(f"{name:>11}" for name in columns))
    for kind, counter in [*counts.items(), ("all", total)]:
        print(f"{kind:<26}" + "".join(f"{counter[name]:>11,}" for name in columns))
    print(f"{sum(total.values()):,} mutations in {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


def try_module(kind: str, folder: Path, first: int, count: int) -> None:
    """Try mutations of a module of `mutations/`; print a line for each."""
    warnings.simplefilter("ignore")
    name, part = kind.split("/")
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    chosen = parts(name)[part]
    for number in range(first, first + count):
        try:
            outcome = chosen(number)
        except BaseException:
            outcome = traceback.format_exc().strip().replace("\n", " | ")[-600:]
        print(number, outcome, flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 5 and "/" in sys.argv[1] and sys.argv[3].isdigit():
        try_module(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        sys.exit(main())
