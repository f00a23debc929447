"""The progress bar on a terminal: steps done, rate, and time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

NARROW = 60  # width in characters below which the bar itself and the rate are left out


class RateColumn(ProgressColumn):
    """Steps per second; empty before the first two steps, when there is no rate yet."""

    def render(self, task: Task) -> Text:
        """Return the rate of ``task`` as text."""
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:.3g}/s", style="progress.data.speed")


def make_bar(console: Console) -> Progress:
    """Return a bar that fits the width of ``console``."""
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", table_column=Column(no_wrap=True, ratio=1)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True), elapsed_when_finished=True),
    ]
    if console.width >= NARROW:
        columns.insert(1, BarColumn(bar_width=max(10, console.width // 5)))
        columns.insert(3, RateColumn(table_column=Column(no_wrap=True, min_width=8)))
    return Progress(*columns, console=console, expand=True)


_drawn: list[Progress] = []  # the bar on the screen, if there is one


@contextmanager
def drawn() -> Iterator[Callable[[int, int, str], None]]:
    """Draw a bar on standard error for each kind of work reported within the block."""
    bar = make_bar(Console(stderr=True, highlight=False))
    tasks: dict[str, TaskID] = {}

    def advance(done: int, total: int, label: str) -> None:
        what = label.partition(",")[0]  # the rest of the label changes during the work
        description = escape(label)
        if what not in tasks:
            tasks[what] = bar.add_task(description, total=total)
        bar.update(tasks[what], completed=done, total=total, description=description)

    with bar:
        _drawn.append(bar)
        try:
            yield advance
        finally:
            _drawn.remove(bar)


def print_above(line: str) -> bool:
    """Print a line above the bar, unwrapped; return False if no bar is drawn."""
    if not _drawn:
        return False
    _drawn[-1].console.print(Text(line), soft_wrap=True)
    return True
