"""The contract of a reader of galaxy catalogues."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..protocols import MockOptions, MockReader
from ..types import GalaxyCatalog
from .promises import global_random_state, made, require, skip_without, state_of

IDS = ("galaxy_id", "halo_id")


def mock_reader_contract(
    reader: Any,
    path: Path,
    *,
    requires: Iterable[str] = (),
) -> None:
    """Check the promises of every reader of galaxy catalogues on a valid input.

    Parameters
    ----------
    reader : str, MockReader or callable
        A registered name, a class, or a reader.
    path : Path
        A valid file or folder of the reader's format, with one galaxy or more.
    requires : iterable of str
        Libraries that the reader needs, by the name to import.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    unittest.SkipTest
        A library is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mockgal.testing import mock_reader_contract
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> mockgal.write(mock, "mock.fits")
    >>> mock_reader_contract("fits", Path("mock.fits"))
    """
    skip_without(requires)
    reader = made("mocks", reader)
    files, random = state_of(path), global_random_state()
    require(isinstance(reader, MockReader), "it has the methods of a MockReader")
    require(reader.detect(path), "its own format is detected")
    for other in (Path(os.devnull), Path(__file__), Path(__file__).parent, path / "missing"):
        require(not reader.detect(other), "another format is not detected, without an exception")
    mock = reader.read(path, MockOptions())
    require(isinstance(mock, GalaxyCatalog), "it reads a GalaxyCatalog")
    require(len(mock), "the input of the contract has galaxies")
    require(set(IDS) <= set(mock.columns), "the catalogue has the ids")
    for name, values in mock.columns.items():
        kind = mock.declared[name].dtype[1]
        require(kind != "f" or np.isfinite(values).all(), f"{name} is finite")
        if mock.frame == "box" and name.startswith("position_"):
            inside = values.min() >= 0 and values.max() < mock.snapshot.box_size
            require(inside, "galaxies are in the box, in Mpc/h")
    source = mock.snapshot.source
    require(source and all(file.size > 0 for file in source), "the snapshot names the files read")
    json.dumps(dict(mock.provenance), allow_nan=False)
    for rows in (7, 1 << 20):
        again = reader.read(path, MockOptions(chunk_rows=rows))
        require(again.digest() == mock.digest(), "the rows do not depend on chunk_rows")
        require(again.snapshot == mock.snapshot, "the snapshot does not depend on chunk_rows")
        require(again.provenance == mock.provenance, "provenance does not depend on chunk_rows")
    for name in list(mock.columns)[:: max(1, len(mock.columns) // 3)]:
        part = reader.read(path, MockOptions(columns=(name,)))
        require({name, *IDS} <= set(part.columns), "requested columns are read, and the ids")
        for key in (name, *IDS):
            require(np.array_equal(part[key], mock[key]), "a column does not depend on the others")
    require(state_of(path) == files, "the input is not touched")
    require(global_random_state() == random, "the global random state is not touched")
