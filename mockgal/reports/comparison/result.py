"""The result of a comparison: catalogues, measurements, verdicts, costs and maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ...statistics.result import Measurement
from ...system.display import Lines, Shown, listed
from ...types import GalaxyCatalog
from .verdicts import MATCHED, TRUTH, Verdict

Array = NDArray[Any]

NOT_RECORDED = "not recorded"


class Cost(NamedTuple):
    """What a catalogue took to make; None where it is not recorded, and ``because`` says why."""

    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: float | None = None
    because: str = ""


class Region(NamedTuple):
    """A cube of the periodic box: centre and side [Mpc/h], voxels along a side, and why there."""

    centre: tuple[float, float, float]
    side: float
    voxels: int
    because: str

    def __str__(self) -> str:
        centre = ", ".join(f"{x:.5g}" for x in self.centre)
        return f"{self.side:.4g} Mpc/h wide about ({centre}) Mpc/h, {self.because}"


class Points(NamedTuple):
    """Objects in a region: places about its centre [Mpc/h], masses [Msun/h], which are central."""

    x: Array
    y: Array
    mass: Array
    central: Array


class Maps(NamedTuple):
    """A region seen along z.

    Parameters
    ----------
    region : Region
    matter : ndarray, shape (voxels, voxels), or None
        Projected matter density over its mean; the first axis is x.
    matter_from : str
        What it was made from, or why there is none.
    subhalos : Points or None
        Subhalos by bound mass.
    galaxies : mapping of str to Points
        Galaxies by stellar mass, of each catalogue.
    """

    region: Region
    matter: Array | None
    matter_from: str
    subhalos: Points | None
    galaxies: Mapping[str, Points]


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Mocks beside the truth.

    Parameters
    ----------
    catalogues : mapping of str to GalaxyCatalog
        ``"truth"``, then ``"matched"`` if there is a second truth (the masses of matched galaxies
        at gravity-only positions), then the mocks by name.
    sources : mapping of str to str
        Where each catalogue comes from.
    measurements : mapping of str to mapping of str to Measurement
        By catalogue, then by key (`mockgal.reports.comparison.statistics.KEYS`); ``"pit"`` of mocks
        alone.
    verdicts : tuple of Verdict
    costs : mapping of str to Cost
        Of the truth and of each mock.
    maps : Maps or None
        None for light cones.
    notes : tuple of str
        What a reader has to know: differences, what painters learnt from, shot noise.
    not_measured : mapping of str to str
        Why, by key of the statistic.
    without_law : mapping of str to str
        Why the law of a mock's painter was not held against the truth, by mock: ends of sentences.
    title : str
    wrote : tuple of Path
        Files of the report: the page first.
    randoms : GalaxyCatalog or None
        Of the survey that all catalogues are of, if they are light cones.

    Examples
    --------
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> found = mockgal.compare(mock, {"itself": mock}, statistics=["satellite_fraction"])
    >>> found.mocks, sorted(found.measurements["itself"])
    (('itself',), ['satellite_fraction'])
    """

    catalogues: Mapping[str, GalaxyCatalog]
    sources: Mapping[str, str]
    measurements: Mapping[str, Mapping[str, Measurement]]
    verdicts: tuple[Verdict, ...]
    costs: Mapping[str, Cost]
    maps: Maps | None
    notes: tuple[str, ...] = ()
    not_measured: Mapping[str, str] = field(default_factory=dict)
    without_law: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    wrote: tuple[Path, ...] = ()
    randoms: GalaxyCatalog | None = None

    def __post_init__(self) -> None:
        inner = {name: MappingProxyType(dict(own)) for name, own in self.measurements.items()}
        object.__setattr__(self, "measurements", MappingProxyType(inner))
        for name in ("catalogues", "sources", "costs", "not_measured", "without_law"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def truth(self) -> GalaxyCatalog:
        """The galaxies that the mocks are compared with."""
        return self.catalogues[TRUTH]

    @property
    def on_the_sky(self) -> bool:
        """Whether the catalogues are light cones."""
        return self.truth.frame == "sky"

    @property
    def mocks(self) -> tuple[str, ...]:
        """Names of the mocks."""
        return tuple(name for name in self.catalogues if name not in (TRUTH, MATCHED))

    def _lines(self) -> tuple[str, Lines]:
        judged = [f"{v.catalogue} {v.quantity} ({v.reach}): {v.verdict}" for v in self.verdicts]
        sizes = [f"{name} {len(own):,} galaxies" for name, own in self.catalogues.items()]
        lines = [
            ("catalogues", ", ".join(sizes)),
            ("measurements", listed(self.measurements[TRUTH])),
            ("verdicts", "; ".join(judged)),
        ]
        lines += [("not measured", listed(self.not_measured))] * bool(self.not_measured)
        lines += [("notes", f"{len(self.notes)}, in .notes")] * bool(self.notes)
        lines += [("page", str(path)) for path in self.wrote[:1]]
        return f"Comparison of {', '.join(self.mocks)} with the truth", lines
