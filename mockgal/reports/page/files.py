"""The folder of a report: the page, its figures and its tables, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...statistics.plotting.palette import picture_style
from ...system.files.atomic import atomic_folder, check_folder
from ...system.progress import advance
from ..comparison.result import Comparison
from ..comparison.statistics import PANELS
from ..comparison.verdicts import TRUTH
from ..figures import save_figure
from . import pit, sky
from .curves import curve
from .document import GENERATOR, MAP, ONE, map_file, page
from .figure_one import figure_one
from .maps import map_figure, panels_of
from .tables import catalogue_table, cost_table, verdict_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INDEX, FIGURES, TABLES = "index.html", "figures", "tables"
_HEAD = 4096  # bytes of a page that hold the name of what wrote it


def check_report(folder: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise, before any work is done, if a report could not be written.

    See `mockgal.system.files.atomic.check_folder`.
    """
    check_folder(folder, overwrite=overwrite, is_ours=is_report, inputs=inputs)


def is_report(folder: Path) -> bool:
    """Return whether a folder holds a report, and nothing beside it."""
    with suppress(OSError):
        if set(os.listdir(folder)) - {INDEX, FIGURES, TABLES}:
            return False
        with open(folder / INDEX, "rb") as file:
            return f'content="{GENERATOR}"'.encode() in file.read(_HEAD)
    return False


def write_report(
    comparison: Comparison, folder: Path, *, overwrite: bool, inputs: Iterable[Path] = ()
) -> tuple[Path, ...]:
    """Write the page, its figures as PNG and PDF, and its tables as ECSV.

    The same comparison gives the same bytes.

    Returns
    -------
    tuple of Path
        The files, the page first.

    Raises
    ------
    MockgalError
        See `mockgal.system.files.atomic.atomic_folder`.
    """
    with atomic_folder(folder, overwrite=overwrite, is_ours=is_report, inputs=inputs) as temporary:
        pictures, captions = _write_figures(comparison, temporary / FIGURES)
        _write_tables(comparison, temporary / TABLES)
        (temporary / INDEX).write_text(page(comparison, pictures, captions), encoding="utf-8")
        written = sorted(
            path.relative_to(temporary) for path in temporary.rglob("*") if path.is_file()
        )
    rest = [folder / path for path in written if str(path) != INDEX]
    return (folder / INDEX, *rest)


def _write_figures(comparison: Comparison, folder: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Write all figures; return those of the page as PNG, and the captions they have, by name."""
    folder.mkdir()
    pictures, captions = {}, {}
    figures = list(_figures(comparison))
    for done, (name, make) in enumerate(figures):
        advance(done, len(figures), "figures")
        figure = make()
        captions[name] = str(figure.get_label())
        path = folder / f"{name}.png"
        _save(figure, path, pdf=not name.startswith(MAP))
        if name != ONE:
            pictures[name] = path.read_bytes()
    advance(len(figures), len(figures), "figures")
    return pictures, captions


def _figures(comparison: Comparison) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Yield the name of the file of each figure, and what draws it."""
    if comparison.maps is None:
        yield from sky.figures(comparison)
    else:
        yield ONE, partial(figure_one, comparison, comparison.maps)
        for name in panels_of(comparison.maps):
            yield map_file(name), partial(map_figure, comparison.maps, name)
    for panel in PANELS:
        if panel.key in comparison.measurements[TRUTH]:
            yield panel.name, partial(curve, comparison, panel)
    for name in pit.FIGURES if pit.names_of(comparison) else ():
        yield name, partial(pit.pit_figure, comparison, name)


def _save(figure: Figure, path: Path, *, pdf: bool) -> None:
    """Write a figure as PNG and, if asked to, as PDF: single maps are in that of Figure 1."""
    with picture_style():
        if (layout := figure.get_layout_engine()) is not None:
            layout.execute(figure)
            figure.set_layout_engine(None)  # once is enough: its panels stay where they are
    save_figure(figure, path)
    if not pdf:
        return
    save_figure(figure, path.with_suffix(".pdf"))


def _write_tables(comparison: Comparison, folder: Path) -> None:
    folder.mkdir()
    for table in (verdict_table(comparison), cost_table(comparison), catalogue_table(comparison)):
        (folder / f"{table.name}.ecsv").write_text(table.to_ecsv(), encoding="utf-8")
    for name, own in comparison.measurements.items():
        for key, result in own.items():
            (folder / f"{name}-{key}.ecsv").write_text(result.to_ecsv(), encoding="utf-8")
