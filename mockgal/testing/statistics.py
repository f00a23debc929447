"""The contract of a statistic."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import registry
from ..errors import MockgalError
from ..quantity import UnitError, conversion
from ..statistics.result import ERROR, Measurement
from ..statistics.stored import read
from ..types import Array, GalaxyCatalog, HaloCatalog
from .promises import global_random_state, require, skip_without

_ROUNDING = 1e-6  # of the largest value of a column, if rows are summed in another order


def statistic_contract(
    statistic: str | Callable[..., Measurement],
    galaxies: GalaxyCatalog,
    directory: Path,
    *,
    hosts: HaloCatalog | None = None,
    requires: Iterable[str] = (),
    **options: Any,
) -> None:
    """Check the promises of every statistic, in an empty directory.

    Parameters
    ----------
    statistic : str or callable
        A registered name, or a function.
    galaxies : GalaxyCatalog
        Galaxies in a periodic box.
    directory : Path
    hosts : HaloCatalog, optional
        The halos that the galaxies were painted on, for a statistic that takes ``hosts``.
    requires : iterable of str
        Libraries that the statistic needs, by the name to import.
    **options
        Options of the statistic.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    unittest.SkipTest
        A library is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mockgal.testing import statistic_contract
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> Path("measured").mkdir()
    >>> statistic_contract("mass_function", mock, Path("measured"))
    """
    skip_without(requires)
    function = registry.load("statistics", statistic) if isinstance(statistic, str) else statistic

    def measure(mock: GalaxyCatalog, halos: HaloCatalog | None = hosts) -> Measurement:
        result = function(mock, **options, **({} if halos is None else {"hosts": halos}))
        require(isinstance(result, Measurement), "it returns a Measurement")
        return result

    digests = galaxies.digest(), None if hosts is None else hosts.digest()
    random, errors = global_random_state(), np.geterr()
    result = measure(galaxies)
    if isinstance(statistic, str):
        require(result.statistic == statistic, "the result has the registered name")
    require((function.__doc__ or "").strip(), "it has a docstring")
    _check_statements(result)
    require(_same(result, measure(galaxies), 0.0), "the same catalogue gives the same result")

    renamed, renamed_hosts = _in_another_order(galaxies, hosts)
    reordered = measure(renamed, renamed_hosts)
    require(_same(result, reordered, _ROUNDING), "the order of rows does not matter")

    result.save(directory / "result.ecsv")
    _check_read(result, read(directory / "result.ecsv"))
    try:
        empty = measure(galaxies.take(np.arange(0)))
    except MockgalError:
        pass
    else:
        for name in empty.estimates:
            require(not np.isinf(empty[name]).any(), "without galaxies, estimates are 0 or NaN")
    rows = np.arange(len(galaxies))  # a fresh copy, whose digest is not cached
    untouched = (
        galaxies.take(rows).digest(),
        None if hosts is None else hosts.take(np.arange(len(hosts))).digest(),
    )
    require(untouched == digests, "the catalogue and the hosts are not touched")
    require(global_random_state() == random, "the global random state is not touched")
    require(np.geterr() == errors, "NumPy's error state is not touched")


def _check_statements(result: Measurement) -> None:
    """Require units that parse, meanings, errors, and settings that JSON can hold."""
    for name in result.columns:
        field = result.fields[name]
        require(field.meaning.strip(), f"the meaning of {name} is stated")
        if field.unit:
            try:
                conversion(field.unit, field.unit)
            except UnitError as error:
                raise AssertionError(
                    f"the contract is broken: the unit of {name} has {error}"
                ) from error
    for name in result.estimates:
        require(not np.any(result[name + ERROR] < 0), f"the error of {name} is not negative")
    require(isinstance(result.settings.get("errors"), str), "settings say what the errors are")
    json.dumps(dict(result.settings), allow_nan=False)


def _in_another_order(
    galaxies: GalaxyCatalog, hosts: HaloCatalog | None
) -> tuple[GalaxyCatalog, HaloCatalog | None]:
    """Return both catalogues with ids in reverse order, which is the order of rows."""
    names = ("galaxy_id", "halo_id")
    last = max(int(galaxies[name].max(initial=0)) for name in names)
    if hosts is not None:
        last = max(last, *(int(hosts[name].max(initial=0)) for name in ("halo_id", "host_id")))

    def turned(columns: Any, ids: tuple[str, ...]) -> dict[str, Array]:
        return {**columns, **{name: last - columns[name] for name in ids}}

    other = replace(galaxies, columns=turned(galaxies.columns, names))
    if hosts is None:
        return other, None
    halos = replace(hosts, columns=turned(hosts.columns, ("halo_id", "host_id")))
    return other, halos.take(np.random.default_rng(0).permutation(len(halos)))


def _same(first: Measurement, second: Measurement, rounding: float) -> bool:
    def close(name: str) -> bool:
        one, two = np.asarray(first[name]), np.asarray(second[name])
        if one.dtype.kind != "f":
            return np.array_equal(one, two)
        finite = np.abs(one[np.isfinite(one)])
        return np.allclose(
            one, two, rtol=rounding, atol=rounding * finite.max(initial=0.0), equal_nan=True
        )

    return (
        list(first.columns) == list(second.columns)
        and len(first) == len(second)
        and all(map(close, first.columns))
    )


def _check_read(result: Measurement, again: Measurement) -> None:
    """Require that a file holds the whole result."""
    require(list(again.columns) == list(result.columns), "a file has the columns")
    for name, values in result.columns.items():
        require(
            np.array_equal(again[name], values, equal_nan=values.dtype.kind == "f"),
            f"a file has the numbers of {name}",
        )
        require(again.fields[name] == result.fields[name], f"a file has unit and meaning of {name}")
    for what in ("statistic", "axis", "estimates", "count", "style", "error_degrees_of_freedom"):
        require(getattr(again, what) == getattr(result, what), f"a file has the {what}")
    settings = json.loads(json.dumps(dict(result.settings)))
    require(dict(again.settings) == settings, "a file has the settings")
