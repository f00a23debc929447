"""A covariance between bins, of one statistic or of several estimates of it, and its file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, CorruptFileError, MockgalError, UsageError
from ..system.display import Shown
from ..system.files.ecsv import read_ecsv, sealed
from .ensemble import combine, factors, in_common_bins
from .result import Measurement

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.figure import Figure

Array = NDArray[Any]

FORMAT = "mockgal covariance 1"
MOCKS, JACKKNIFE = "mocks", "jackknife"


@dataclass(frozen=True, repr=False)
class Covariance(Shown):
    """The covariance of a vector of n numbers: estimates of one statistic, bin after bin.

    Parameters
    ----------
    statistic : str
    estimate : ndarray of str, shape (n,)
        Name of the estimate of each row.
    unit : ndarray of str, shape (n,)
        Its unit; the covariance of two rows has the product of their units.
    axis : str
        Name of the abscissa.
    axis_unit : str
        Its unit.
    abscissa, mean : ndarray, shape (n,)
    matrix : ndarray, shape (n, n)
        Of one mock: that of a mean over mocks is smaller by their number.
    number : int
        Mocks, or sub-volumes.
    source : str
        ``"mocks"`` or ``"jackknife"``.
    beside : ndarray, shape (n, n), or None
        For mocks: the mean of their jackknife's covariances, if all have one.
    settings : mapping
        What determines the numbers, as plain JSON values.

    Raises
    ------
    BadValueError
        The shapes do not fit together.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> found = mockgal.measure(mockgal.paint(sim, "hod", seed=1), "wp", jackknife=3)
    >>> covariance = found.covariance()
    >>> covariance.source, covariance.matrix.shape == (len(found), len(found))
    ('jackknife', True)
    """

    statistic: str
    estimate: Array
    unit: Array
    axis: str
    axis_unit: str
    abscissa: Array
    mean: Array
    matrix: Array
    number: int
    source: str
    beside: Array | None
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        n = len(self.estimate)
        square = [x for x in (self.matrix, self.beside) if x is not None]
        vectors = (self.unit, self.abscissa, self.mean)
        if any(x.shape != (n, n) for x in square) or any(x.shape != (n,) for x in vectors):
            raise BadValueError(
                f"covariance of {self.statistic}",
                f"shapes {[x.shape for x in (*vectors, *square)]}",
                f"({n},) and ({n}, {n})",
            )
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def __len__(self) -> int:
        return len(self.estimate)

    def _lines(self) -> tuple[str, list[tuple[str, str]]]:
        lines = [
            ("rows", f"{len(self)}: {', '.join(dict.fromkeys(self.estimate.tolist()))}"),
            ("from", f"{self.number} {'mocks' if self.source == MOCKS else 'sub-volumes'}"),
        ]
        return f"Covariance of {self.statistic}", lines

    @property
    def correlation(self) -> Array:
        """The correlation coefficients, shape (n, n); NaN where an error is 0 or not a number."""
        error = np.sqrt(np.diag(self.matrix))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.matrix / np.outer(error, error))

    def inverse(self) -> Array:
        """Return the unbiased inverse, shape (n, n).

        That is the inverse of the matrix times (R - n - 2) / (R - 1) for R mocks or sub-volumes
        (Hartlap, Simon & Schneider 2007, astro-ph/0608064). For the jackknife this is approximate.

        Raises
        ------
        UsageError
            There are too few mocks or sub-volumes for the number of rows; or the matrix has rows
            without an error.
        """
        factor = factors(self.number, len(self)).hartlap
        if not np.isfinite(factor):
            raise UsageError(
                f"covariance of {self.statistic}",
                f"{self.number} {self.source} for {len(self)} rows, which leave it no inverse",
                f"at least {len(self) + 3}",
                "take fewer bins (`Covariance.take`), or more mocks",
            )
        if not (np.isfinite(self.matrix).all() and (np.diag(self.matrix) > 0).all()):
            raise UsageError(
                f"covariance of {self.statistic}",
                "rows without an error",
                "numbers that vary between mocks",
                "leave these rows out: `Covariance.take`",
            )
        return np.asarray(factor * np.linalg.inv(self.matrix))

    def take(self, rows: Array | Sequence[int]) -> Covariance:
        """Return the covariance of some rows, whose numbers or flags are given."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Covariance(
            self.statistic,
            self.estimate[rows],
            self.unit[rows],
            self.axis,
            self.axis_unit,
            self.abscissa[rows],
            self.mean[rows],
            self.matrix[np.ix_(rows, rows)],
            self.number,
            self.source,
            None if self.beside is None else self.beside[np.ix_(rows, rows)],
            self.settings,
        )

    def to_table(self) -> Table:
        """Return the covariance as an astropy table, a row of the matrix in each row."""
        from astropy.table import Table

        table = Table()
        of_mocks = self.source == MOCKS
        unit = f" [{self.axis_unit}]" if self.axis_unit else ""
        columns = {
            "estimate": (self.estimate, "name of the estimate"),
            "unit": (self.unit, "unit of the estimate"),
            self.axis: (
                self.abscissa,
                f"abscissa{unit}",
            ),
            "mean": (self.mean, "mean over mocks" if of_mocks else "value"),
            "covariance": (self.matrix, "covariance of one mock with each row"),
        }
        if self.beside is not None:
            columns["covariance_jackknife"] = (self.beside, "mean of the jackknife's covariances")
        for name, (values, meaning) in columns.items():
            table[name] = values
            table[name].description = meaning
        hartlap, a, b = (x if np.isfinite(x) else None for x in factors(self.number, len(self)))
        table.meta = {
            "format": FORMAT,
            "statistic": self.statistic,
            "axis": self.axis,
            "axis_unit": self.axis_unit,
            "source": self.source,
            "number": self.number,
            "hartlap_factor": hartlap if hartlap is not None else "none: too few for an inverse",
            "percival_a": a if a is not None else "none",
            "percival_b": b if b is not None else "none",
            "settings": json.loads(json.dumps(dict(self.settings), allow_nan=False)),
        }
        return table

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the covariance as ECSV; the file appears complete or not at all.

        Raises
        ------
        OutputExistsError, OutputError
            See `mockgal.system.files.atomic.atomic_output`.
        """
        from ..system.files.atomic import atomic_output

        text = sealed(self.to_table())
        with atomic_output(Path(path), overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def plot(self) -> Figure:
        """Return a figure of the correlation coefficients."""
        from .plotting.matrix import correlations

        return correlations(self)


def covariance_of(
    result: Measurement, estimates: Sequence[str] = (), source: str | None = None
) -> Covariance:
    """Return the covariance of estimates of a result, by default of all: see `Covariance`."""
    names = list(estimates) or list(result.estimates)
    unknown = [name for name in names if name not in result.estimates]
    if unknown:
        raise UsageError(
            f"covariance of {result.statistic}",
            f"no estimate {', '.join(unknown)}",
            "one of " + ", ".join(result.estimates),
        )
    source = source or (MOCKS if result.realisations else JACKKNIFE)
    vectors = result.realisations if source == MOCKS else result.left_out
    if not all(name in vectors for name in names):
        raise UsageError(
            f"covariance of {result.statistic}",
            f"no numbers of {'several mocks' if source == MOCKS else 'the jackknife'}",
            "a result of several mocks, or with a jackknife",
            "mockgal.combine results of several mocks, or measure with a jackknife, such as "
            "jackknife=3",
        )
    stacked = np.hstack([np.asarray(vectors[name], dtype=np.float64) for name in names])
    number, n = len(stacked), len(result)
    deviation = stacked - stacked.mean(axis=0)
    scale = 1 / (number - 1) if source == MOCKS else (number - 1) / number
    return Covariance(
        result.statistic,
        np.repeat(names, n),
        np.repeat([result.fields[name].unit for name in names], n),
        result.axis,
        result.fields[result.axis].unit,
        np.tile(result[result.axis].astype(np.float64), len(names)),
        np.concatenate([result[name].astype(np.float64) for name in names]),
        scale * deviation.T @ deviation,
        number,
        source,
        None,
        result.settings,
    )


def covariance_of_mocks(results: Sequence[Measurement]) -> Covariance:
    """Return the covariance of one statistic over mocks, with the jackknife's beside it.

    Parameters
    ----------
    results : sequence of Measurement
        See `mockgal.statistics.ensemble.combine`.

    Raises
    ------
    UsageError
        See there.
    """
    covariance = covariance_of(combine(results))
    kept = in_common_bins(results, quiet=True)
    if not all(set(one.estimates) <= set(one.left_out) for one in kept):
        return covariance
    beside = np.mean([covariance_of(one, source=JACKKNIFE).matrix for one in kept], axis=0)
    return replace(covariance, beside=beside)


def read_covariance(path: Path) -> Covariance:
    """Return the covariance in a file that `Covariance.save` wrote.

    Raises
    ------
    InputError
        (or a subclass) The file cannot be read, is damaged, or is something else.
    """
    again = "measure the mocks again with this version of mockgal"
    table = read_ecsv(
        path, FORMAT, what="covariance of `mockgal measure`", fix="check the path", again=again
    )
    try:
        meta = table.meta
        columns = {name: column.values for name, column in table.columns.items()}
        return Covariance(
            str(meta["statistic"]),
            np.asarray(columns["estimate"], dtype=str),
            np.asarray(columns["unit"], dtype=str),
            str(meta["axis"]),
            str(meta["axis_unit"]),
            columns[str(meta["axis"])],
            columns["mean"],
            columns["covariance"],
            int(meta["number"]),
            str(meta["source"]),
            columns.get("covariance_jackknife"),
            json.loads(json.dumps(dict(meta["settings"]), allow_nan=False)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, MockgalError) as error:
        raise CorruptFileError(path, f"damaged values ({error})", FORMAT, again) from error
