"""How a data model is declared: a table of columns, and what each is in the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ...columns import OUR_COLUMNS, Column
from ...errors import UsageError
from ...types import Array, GalaxyCatalog
from .ids import keyed_ids

CONE = "a light cone: survey.light_cone in a recipe, mockgal.survey.light_cone in Python"
WEIGHTS = "weights: survey.weights in a recipe, mockgal.survey.weights in Python"
# The step that makes a column, for what a catalogue lacks.
_STEPS = {
    **dict.fromkeys(("ra", "dec", "redshift", "redshift_cosmological"), CONE),
    **dict.fromkeys(("number_density", "weight", "weight_fkp"), WEIGHTS),
}


class Derived:
    """What is computed of a catalogue once, for several columns.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    """

    def __init__(self, galaxies: GalaxyCatalog) -> None:
        self.galaxies = galaxies

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the survey that were done."""
        return tuple(str(step.get("step")) for step in self.galaxies.provenance.get("survey", ()))

    @property
    def are_randoms(self) -> bool:
        """Whether the rows are points at random."""
        return "randoms" in self.steps

    @property
    def observer(self) -> tuple[float, float, float]:
        """Place of the observer [comoving Mpc/h]."""
        cone = self.galaxies.snapshot.light_cone
        return (0.0, 0.0, 0.0) if cone is None else cone.observer

    @property
    def target_ids(self) -> Array:
        """Ids of galaxies, or of randoms, of which no two copies of the box share one."""
        return keyed_ids(self.galaxies, "randoms" if self.are_randoms else "galaxies")[0]

    @cached_property
    def ids(self) -> list[Array]:
        """Such ids of galaxies and of their halos."""
        return keyed_ids(self.galaxies, "galaxies", ("galaxy_id", "halo_id"))


class ModelColumn(NamedTuple):
    """A column of a data model.

    Parameters
    ----------
    name : str
        In the file.
    meaning : str
    sources : tuple of str
        Columns of the catalogue, of which the first that it has is taken.
    make : callable, optional
        Returns the values, shape (n,), where they are none of a column of the catalogue.
    expression : str
        What ``make`` does, for the documentation; by default the name of the source.
    dtype : str
        Type of what ``make`` returns.
    origin : callable, optional
        Returns what is subtracted from the source's numbers, in internal units.
    optional : bool
        Whether it is left out where the catalogue has no source.
    copies : bool, optional
        Whether it is only there if the catalogue has copies of the box, or only if not.
    """

    name: str
    meaning: str
    sources: tuple[str, ...] = ()
    make: Callable[[Derived], Array] | None = None
    expression: str = ""
    dtype: str = "<f8"
    origin: Callable[[Derived], float] | None = None
    optional: bool = False
    copies: bool | None = None

    @property
    def text(self) -> str:
        """What it is in the catalogue, in words."""
        return self.expression or ", else ".join(self.sources)

    def source(self, names: Iterable[str]) -> str | None:
        """Return the column of the catalogue that it is, of those in ``names``."""
        names = frozenset(names)
        return next((name for name in self.sources if name in names), None)

    def column(self, source: str | None) -> Column:
        """Return its declaration: the unit, powers, type and bounds of the source's."""
        if source is None:
            return Column(self.name, "", 0, 0, self.dtype, meaning=self.meaning)
        like = OUR_COLUMNS[source]
        return Column(
            self.name,
            like.unit,
            like.h_power,
            like.a_power,
            like.dtype,
            meaning=self.meaning,
            bounds=like.bounds,
        )


@dataclass(frozen=True)
class Model:
    """A data model.

    Parameters
    ----------
    name : str
    title : str
        Of which survey, and what reads it.
    units : str
        ``"h-free"`` or ``"h"``: see `mockgal.writers.provenance.file_columns`.
    formats : tuple of str
        Of the files: names of writers.
    columns : tuple of ModelColumn
        In the order of the file.
    table : str
        Name of the table in the file.
    release : str
        Which of several forms, if there are some.
    randoms : bool
        Whether there are files of randoms.
    """

    name: str
    title: str
    units: str
    formats: tuple[str, ...]
    columns: tuple[ModelColumn, ...]
    table: str = "galaxies"
    release: str = ""
    randoms: bool = True

    def chosen(self, names: Iterable[str], where: object) -> Iterator[tuple[ModelColumn, str]]:
        """Yield the columns of a file, each with its source among ``names``; "" if it is made.

        Raises
        ------
        UsageError
            A source is missing; the message names the step that makes it.
        """
        names = frozenset(names)
        for column in self.columns:
            if column.copies is not None and column.copies != ("copy" in names):
                continue
            source = column.source(names)
            if source is None and column.sources:
                if column.optional:
                    continue
                raise self._lacking(column, where)
            yield column, source or ""

    def _lacking(self, column: ModelColumn, where: object) -> UsageError:
        source = column.sources[-1]
        step = _STEPS.get(source)
        return UsageError(
            where,
            f"a catalogue without {source}",
            f"that column, of which {column.name} of the data model {self.name} is made",
            f"first make {step}" if step else "keep the column, or leave --model-out out",
        )

    def check_columns(self, names: Iterable[str], where: object) -> None:
        """Raise if a catalogue of these columns could not be written: see `chosen`."""
        for _ in self.chosen(names, where):
            pass


def constant(name: str, value: float, meaning: str) -> ModelColumn:
    """Return a column of one number."""
    return ModelColumn(
        name,
        meaning,
        make=lambda derived: np.broadcast_to(np.float64(value), len(derived.galaxies)),
        expression=f"{value:g}",
    )


def identity() -> tuple[ModelColumn, ...]:
    """Return what models of surveys have beside their own: regions, and the galaxy's identity."""
    return (
        ModelColumn("JACKKNIFE", "region of the jackknife", ("region",), optional=True),
        ModelColumn("GALAXY_ID", "id of the galaxy in the simulation", ("galaxy_id",)),
        ModelColumn("HALO_ID", "id of its halo in the simulation", ("halo_id",)),
        ModelColumn("COPY", "copy of the box", ("copy",), optional=True),
    )
