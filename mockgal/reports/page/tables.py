"""The tables of the page, once as rows: for HTML, and for the ECSV files beside it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from ...errors import printable
from ..comparison.result import NOT_RECORDED, Comparison, Cost
from ..comparison.statistics import N_OF_Z
from ..comparison.verdicts import TRUTH
from .looks import shown
from .words import number, percent

_UNKNOWN = "–"


class Column(NamedTuple):
    """A column of a table.

    Parameters
    ----------
    head : str
        Its head in HTML; "" for a column of the ECSV alone.
    name, unit : str
        Its name and unit in ECSV.
    form : str
        How a cell is shown: ``"share"`` or ``"signed"`` in per cent, ``"count"``, ``"number"``, or
        "" for text.
    beside : tuple of two str
        Another column that its cells show, too, and how: ``("error", "{} ± {}")``.
    """

    head: str
    name: str
    unit: str = ""
    form: str = ""
    beside: tuple[str, str] = ("", "{}")


class Table(NamedTuple):
    """A table: rows of texts, numbers, or None for what is not known; the first cell is a head."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    def to_html(self) -> str:
        """Return the table, which scrolls in a box of its own."""
        seen = [column for column in self.columns if column.head]
        heads = "".join(f'<th scope="col">{_text(column.head)}</th>' for column in seen)
        body = "\n".join(self._row(seen, row) for row in self.rows)
        return (
            f'<p id="table-{self.name}">{_text(self.caption)} '
            f'(<a href="tables/{self.name}.ecsv">ECSV</a>)</p>\n'
            f'<div class="scroll" role="region" tabindex="0" aria-labelledby="table-{self.name}">\n'
            f'<table class="sortable" aria-labelledby="table-{self.name}">\n'
            f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
        )

    def _row(self, seen: Sequence[Column], row: tuple[Any, ...]) -> str:
        values = dict(zip([column.name for column in self.columns], row, strict=True))
        columns = {column.name: column for column in self.columns}
        cells = []
        for k, column in enumerate(seen):
            attributes, text = _cell(values[column.name], column)
            other, form = column.beside
            if other and text != _UNKNOWN:
                second = _cell(values[other], columns[other])[1]
                text = form.format(text, second) if second != _UNKNOWN else text
            tag = 'th scope="row"' if k == 0 else f"td{attributes}"
            cells.append(f"<{tag}>{text}</{tag[:2]}>")
        return f"<tr>{''.join(cells)}</tr>"

    def to_ecsv(self) -> str:
        """Return the table as the text of an ECSV file; NaN is what is not known."""
        from astropy import units
        from astropy.cosmology import units as cosmology_units
        from astropy.table import Table as AstropyTable

        table = AstropyTable()
        for k, column in enumerate(self.columns):
            values = [row[k] for row in self.rows]
            if column.form:
                table[column.name] = [np.nan if value is None else float(value) for value in values]
            else:
                table[column.name] = [printable(value) for value in values]
            table[column.name].description = column.head or column.name.replace("_", " ")
            if column.unit:
                with units.add_enabled_units(cosmology_units):
                    table[column.name].unit = units.Unit(column.unit)
        table.meta = {"caption": printable(self.caption)}
        text = io.StringIO()
        table.write(text, format="ascii.ecsv")
        return text.getvalue()


def _text(value: object) -> str:
    """Return a text for HTML: nothing in it is markup, or a control character."""
    return escape(printable(value))


def _cell(value: Any, column: Column) -> tuple[str, str]:
    """Return the attributes of a cell, and its content."""
    if column.form == "":
        text = _text(value)
        mark = column.name == "verdict"
        kind = value.replace(" ", "-") if mark else "text" if len(str(value)) > 30 else ""
        return (f' class="{kind}"' if kind else ""), text
    known = value is not None and np.isfinite(value)
    sort = f"{float(value):.9g}" if known else "NaN"
    if not known:
        content = _text(NOT_RECORDED if value is None else _UNKNOWN)
    elif column.form in ("share", "signed"):
        content = percent(float(value), signed=column.form == "signed")
    elif column.form == "count":
        content = f"{int(value):,}"
    else:
        content = number(float(value), 4)
    return f' class="number" data-sort="{sort}"', content


def verdict_table(comparison: Comparison) -> Table:
    """Return the verdicts, one a row."""
    columns = (
        Column("catalogue", "catalogue"),
        Column("verdict", "verdict"),  # on a phone the first two are seen
        Column("quantity", "quantity", beside=("reach", "{}, {}")),
        Column("", "reach"),
        Column("bar", "bar", form="share"),
        Column("largest deviation", "deviation", form="signed", beside=("error", "{} ± {}")),
        Column("", "error", form="share"),
        Column(
            "smallest detectable: best, median bin",
            "least_detectable",
            form="share",
            beside=("median_detectable", "{}, {}"),
        ),
        Column("", "median_detectable", form="share"),
        Column("bins with power", "bins_with_power", form="count", beside=("bins", "{} of {}")),
        Column("", "bins", form="count"),
        Column(
            "bins that differ at 5% (by chance)",
            "bins_that_differ",
            form="count",
            beside=("differing_by_chance", "{} ({})"),
        ),
        Column("", "differing_by_chance", form="number"),
        Column("remark", "note"),
    )
    rows = tuple(
        tuple(
            shown(one.catalogue) if column.name == "catalogue" else getattr(one, column.name)
            for column in columns
        )
        for one in comparison.verdicts
    )
    caption = (
        "The largest relative deviation from the truth beside the bar, and the smallest "
        "deviation that the errors can detect. Where that is above the bar in all bins, there is "
        "no power to tell."
    )
    return Table("verdicts", caption, columns, rows)


def catalogue_table(comparison: Comparison) -> Table:
    """Return what the catalogues are, one a row."""
    columns = (
        Column("catalogue", "catalogue"),
        Column("from", "source"),
        Column("painter", "painter"),
        Column("cuts", "cuts"),
        Column("galaxies", "galaxies", form="count"),
        Column("centrals", "centrals", form="count"),
        Column("satellites", "satellites", form="count"),
        Column("volume [(Mpc/h)^3]", "volume", "Mpc3 / littleh3", "number"),
        Column("number density [h^3/Mpc^3]", "number_density", "littleh3 / Mpc3", "number"),
        Column("stellar mass density [h^2 Msun/Mpc^3]", "mass_density", "Msun littleh2 / Mpc3",
               "number"),
        Column("mass density over the truth's", "mass_over_truth", form="number"),
        Column("mass-weighted shot noise [(Mpc/h)^3]", "shot_noise", "Mpc3 / littleh3", "number"),
        Column("complete", "completeness"),
    )  # fmt: skip
    truth = _density(comparison, TRUTH)
    rows = []
    for name, galaxies in comparison.catalogues.items():
        central = int(galaxies["is_central"].sum())
        volume = _volume(comparison, name)
        mass = galaxies["stellar_mass"].astype(np.float64)
        density = _density(comparison, name)
        rows.append(
            (
                shown(name),
                comparison.sources.get(name, ""),
                _painter(galaxies.provenance),
                "; ".join(str(cut["cut"]) for cut in galaxies.provenance.get("cuts", ())) or "none",
                len(galaxies),
                central,
                len(galaxies) - central,
                volume,
                len(galaxies) / volume,
                density,
                density / truth if truth else np.nan,
                volume * float(np.sum(mass**2) / mass.sum() ** 2) if mass.any() else np.nan,
                str(galaxies.completeness),
            )
        )
    caption = "The catalogues, after the cuts."
    return Table("catalogues", caption, columns, tuple(rows))


def _density(comparison: Comparison, name: str) -> float:
    galaxies = comparison.catalogues[name]
    return float(galaxies["stellar_mass"].astype(np.float64).sum() / _volume(comparison, name))


def _volume(comparison: Comparison, name: str) -> float:
    """Return the volume of a catalogue [(Mpc/h)^3]; of a light cone that of n(z), or NaN."""
    galaxies = comparison.catalogues[name]
    if galaxies.frame == "box":
        return float(galaxies.snapshot.box_size**3)
    found = comparison.measurements[name].get(N_OF_Z)
    return float("nan") if found is None else float(found.settings["volume_mpc3_h3"])


def _painter(provenance: Any) -> str:
    painter = provenance.get("painter", {})
    parts = [str(painter.get("name", "not stated"))]
    weights = painter.get("weights") or painter.get("network", {}).get("name")
    facts = {
        "calibration": painter.get("calibration"),
        "weights": weights,
        "seed": provenance.get("seed"),
    }
    return ", ".join(parts + [f"{name} {fact}" for name, fact in facts.items() if fact is not None])


def cost_table(comparison: Comparison) -> Table:
    """Return what each catalogue took to make."""
    columns = (
        Column("catalogue", "catalogue"),
        Column("wall time [s]", "wall_time", "s", "number"),
        Column("CPU time [s]", "cpu_time", "s", "number"),
        Column("peak memory [MB]", "peak_memory", "Mbyte", "number"),
        Column("not recorded because", "because"),
    )
    rows = tuple(_cost_row(name, cost) for name, cost in comparison.costs.items())
    caption = (
        "Cost of each painter, from the record of its run: reading the simulation, painting and "
        "writing."
    )
    return Table("costs", caption, columns, rows)


def _cost_row(name: str, cost: Cost) -> tuple[Any, ...]:
    memory = None if cost.peak_memory_bytes is None else cost.peak_memory_bytes / 1e6
    return (shown(name), cost.wall_seconds, cost.cpu_seconds, memory, cost.because)


def definitions(pairs: Sequence[tuple[str, str]]) -> str:
    """Return a list of terms with their descriptions, all of them texts."""
    items = "\n".join(f"<dt>{_text(term)}</dt><dd>{_text(what)}</dd>" for term, what in pairs)
    return f"<dl>\n{items}\n</dl>"
