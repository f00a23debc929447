"""The result of every statistic: values in bins, their errors and counts, and its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, UsageError
from ..layout import MEASUREMENT
from ..system import display
from ..system.display import Shown

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

    from .covariance import Covariance

Array = NDArray[Any]

FORMAT = MEASUREMENT
# Suffixes of column names.
ERROR, DETECTABLE = "_error", "_smallest_detectable_deviation"
LEFT_OUT, REALISATIONS = "_left_out", "_realisations"
MOST_STORED = 100_000  # numbers with sub-volumes left out, or of each mock, in a file
SIGNIFICANCE, POWER = 0.05, 0.80  # of the test that defines the smallest detectable deviation


class Field(NamedTuple):
    """A column of a result: its unit, in a form that astropy parses, and its meaning.

    ``littleh`` is `astropy.cosmology.units.littleh`; ``label`` is for plots, in TeX.

    Parameters
    ----------
    unit : str
        "" if there is none.
    meaning : str
        One line.
    label : str
        For the axis of a plot.

    Examples
    --------
    >>> from mockgal.statistics.result import Field
    >>> Field("Mpc / littleh", "radius of the sphere", r"$r$ [Mpc/$h$]").unit
    'Mpc / littleh'
    """

    unit: str
    meaning: str
    label: str = ""


class Style(NamedTuple):
    """How a result is plotted.

    Parameters
    ----------
    log_x, log_y : bool
        Whether the axes are logarithmic.
    marks : tuple of str
        Settings marked with vertical lines.
    lines : tuple of str
        Columns drawn as dashed lines, for comparison.
    labels : tuple of str
        Ordinate labels of the panels that several estimates share.
    apart : tuple of str
        Estimates around zero, which get a panel of their own on a linear scale.

    Examples
    --------
    >>> from mockgal.statistics.result import Style
    >>> Style(log_y=False).log_x
    True
    """

    log_x: bool = True
    log_y: bool = True
    marks: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Measurement(Shown):
    """A statistic in n bins.

    Parameters
    ----------
    statistic : str
        Its name; the one used on the command line, if there is one (`mockgal.registry`).
    columns : mapping of str to ndarray, shape (n,)
        The bins, the estimates, ``<estimate>_error`` for each estimate, and the count. Empty bins
        have a count of 0. There numbers per volume are 0, correlation functions have the value of
        their estimator, and means over nothing (no mode, no host, no random pair) are NaN.
    fields : mapping of str to Field
        Unit and meaning of each column.
    axis : str
        The column that the estimates are plotted against.
    estimates : tuple of str
        The columns that were measured.
    count : str
        The column with the number of independent modes, pairs, galaxies or voxels.
    settings : mapping
        What determines the numbers, and counts made along the way, as plain JSON values. ``errors``
        describes the errors in words.
    error_degrees_of_freedom : float
        Degrees of freedom of the errors: sub-volumes minus one for a jackknife; infinite if they
        are computed analytically.
    style : Style
        How it is plotted.
    left_out : mapping of str to ndarray, shape (R, n)
        Each estimate with each of R sub-volumes left out, as the jackknife gives it; NaN in bins
        with too little for a jackknife. Empty for other errors, and for a result read from a file
        that had more than `MOST_STORED` numbers to hold.
    realisations : mapping of str to ndarray, shape (M, n)
        Each estimate of each of M mocks, of which this is the mean (`mockgal.combine`); else empty.

    Raises
    ------
    BadValueError
        Columns have different lengths or no field, or an estimate has no error.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> found = mockgal.measure(mock, "mass_function")
    >>> found["mass_function"].shape == found["mass_function_error"].shape == (len(found),)
    True
    >>> found.save("mass_function.ecsv")
    """

    statistic: str
    columns: Mapping[str, Array]
    fields: Mapping[str, Field]
    axis: str
    estimates: tuple[str, ...]
    count: str
    settings: Mapping[str, Any]
    error_degrees_of_freedom: float = np.inf
    style: Style = field(default_factory=Style)
    left_out: Mapping[str, Array] = field(default_factory=dict)
    realisations: Mapping[str, Array] = field(default_factory=dict)

    _lines = display.measurement

    def __post_init__(self) -> None:
        needed = {self.axis, self.count, *self.estimates}
        needed |= {name + ERROR for name in self.estimates}
        missing = needed - set(self.columns) | set(self.columns) - set(self.fields)
        lengths = {len(values) for values in self.columns.values()}
        if missing or len(lengths) > 1:
            raise BadValueError(
                f"measurement of {self.statistic}",
                f"columns {', '.join(self.columns)} of lengths {sorted(lengths)}",
                f"columns and fields for {', '.join(sorted(missing | needed))}, equal in length",
            )
        bins = lengths.pop() if lengths else 0
        for of_each in ("left_out", "realisations"):
            for name, values in getattr(self, of_each).items():
                if name in self.estimates and np.ndim(values) == 2 and np.shape(values)[1] == bins:
                    continue
                raise BadValueError(
                    f"measurement of {self.statistic}",
                    f"{name} of shape {np.shape(values)} in {of_each}",
                    f"estimates in {bins} bins, for each sub-volume or mock",
                )
            object.__setattr__(self, of_each, _read_only(getattr(self, of_each)))
        object.__setattr__(self, "columns", _read_only(self.columns))
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def __len__(self) -> int:
        return len(self.columns[self.axis])

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def smallest_detectable_deviation(self, estimate: str) -> Array:
        """Return the smallest relative deviation that these errors can detect, shape (n,).

        A two-sided test at 5% significance against a known value detects a deviation of this size
        with a probability of 80%: (t(0.975) + t(0.80)) error / abs(value), with t the quantiles of
        Student's distribution for the degrees of freedom of the errors.
        """
        quantiles = student(self.error_degrees_of_freedom)
        value = np.abs(self[estimate].astype(np.float64))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(quantiles.sum() * self[estimate + ERROR] / value)

    def jackknife_covariance(self, estimate: str) -> Array:
        """Return the jackknife's covariance of an estimate between bins, shape (n, n).

        It is (R - 1) / R times the sum over the R vectors of ``left_out`` of the products of their
        deviations from the mean (Norberg et al. 2009, arXiv:0810.1885). Its rank is at most R - 1:
        with more bins it cannot be inverted. Rows and columns of bins with too little for a
        jackknife are NaN.

        Raises
        ------
        UsageError
            There is no such estimate, or its errors are not from a jackknife.
        """
        from .jackknife import covariance

        if estimate not in self.left_out:
            raise UsageError(
                f"jackknife_covariance({estimate!r}) of {self.statistic}",
                f"no {estimate} with sub-volumes left out",
                "one of " + ", ".join(self.left_out or self.estimates),
                "name an estimate"
                if self.left_out
                else "measure with a jackknife, such as jackknife=3; files hold up to 100,000 "
                "numbers of it",
            )
        return covariance(self.left_out[estimate])

    def covariance(self, *estimates: str, source: str | None = None) -> Covariance:
        """Return the covariance between bins, of several estimates jointly.

        Parameters
        ----------
        *estimates : str
            By default all of them, such as the multipoles, bin after bin.
        source : str, optional
            ``"mocks"``, from ``realisations``, which is the default where there are some; or
            ``"jackknife"``, from ``left_out``.

        Raises
        ------
        UsageError
            There is no such estimate; or this is neither of several mocks nor with a jackknife.
        """
        from .covariance import covariance_of

        return covariance_of(self, estimates, source)

    def to_table(self) -> Table:
        """Return the result as an astropy table with units and descriptions; ``meta`` has settings.

        A column ``<estimate>_smallest_detectable_deviation`` is added for each estimate, and
        ``<estimate>_left_out``, of vectors, for each that has ``left_out``; of several mocks,
        ``<estimate>_realisations``.
        """
        from astropy import units
        from astropy.cosmology import units as cosmology_units
        from astropy.table import Table

        table = Table()
        for name, values in self.columns.items():
            what = self.fields[name]
            table[name] = values
            if what.unit:
                with units.add_enabled_units(cosmology_units):
                    table[name].unit = units.Unit(what.unit)
            table[name].description = what.meaning
        for name in self.estimates:
            table[name + DETECTABLE] = self.smallest_detectable_deviation(name)
            table[name + DETECTABLE].description = (
                f"least relative deviation of {name} found with {POWER:.0%} probability at "
                f"{SIGNIFICANCE:.0%} significance"
            )
        if sum(values.size for values in self.left_out.values()) <= MOST_STORED:
            for name, values in self.left_out.items():
                table[name + LEFT_OUT] = np.ascontiguousarray(values.T)
                table[name + LEFT_OUT].description = f"{name} with each sub-volume left out"
        if sum(values.size for values in self.realisations.values()) <= MOST_STORED:
            for name, values in self.realisations.items():
                table[name + REALISATIONS] = np.ascontiguousarray(values.T)
                table[name + REALISATIONS].description = f"{name} of each mock"
        table.meta = {
            "format": FORMAT,
            "statistic": self.statistic,
            "axis": self.axis,
            "estimates": list(self.estimates),
            "count": self.count,
            "error_degrees_of_freedom": float(self.error_degrees_of_freedom),
            "style": json.loads(json.dumps(self.style._asdict())),
            "labels": {name: self.fields[name].label for name in self.columns},
            "units": {name: self.fields[name].unit for name in self.columns},
            "settings": json.loads(json.dumps(dict(self.settings), allow_nan=False)),
        }
        return table

    def to_ecsv(self) -> str:
        """Return the result as the text of an ECSV file."""
        from ..system.files.ecsv import sealed

        return sealed(self.to_table())

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the result as ECSV; the file appears complete or not at all.

        Raises
        ------
        OutputExistsError, OutputError
            See `mockgal.system.files.atomic.atomic_output`.
        """
        from ..system.files.atomic import atomic_output

        with atomic_output(Path(path), overwrite=overwrite) as temporary:
            temporary.write_text(self.to_ecsv(), encoding="utf-8")

    def plot(self, axes: Axes | None = None, *, label: str = "", **options: Any) -> Axes:
        """Plot the estimates of the first panel (`plotting.plot.panels`) with their errors.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            By default new axes. Pass those of another result of the same statistic to compare them.
        label : str
            Name of the result, for the legend.
        **options
            Passed to `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from .plotting.plot import draw, panels

        if axes is None:
            from matplotlib import pyplot

            axes = pyplot.subplots(layout="constrained")[1]
        return draw(self, axes, panels(self)[0], label=label, **options)


def student(degrees_of_freedom: float) -> Array:
    """Return the quantiles of Student's distribution for `SIGNIFICANCE` (two-sided) and `POWER`."""
    from scipy.special import stdtrit  # scipy.stats takes a second or two to import

    return np.asarray(stdtrit(degrees_of_freedom, [1.0 - SIGNIFICANCE / 2.0, POWER]))


def _read_only(arrays: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return views of arrays that nobody can change by accident."""
    views = {}
    for name, values in arrays.items():
        views[name] = np.asarray(values).view()
        views[name].flags.writeable = False
    return MappingProxyType(views)
