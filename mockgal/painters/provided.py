"""The columns that a painter's galaxies have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..columns import Column, declared_with
from ..protocols import Painter


def declared_columns(painter: Painter) -> Mapping[str, Column]:
    """Return the possible columns: mockgal's own, and those that only this painter has.

    Raises
    ------
    BadValueError
        The painter provides a column that no file can hold, or a different column under the name of
        one of mockgal's.
    """
    return declared_with(painter.provides, f"painter {painter.name}")


def bytes_of_a_galaxy(painter: Painter) -> int:
    """Return the most bytes that the columns of one galaxy take."""
    provided = {column.name for column in painter.provides}
    return sum(
        np.dtype(column.dtype).itemsize
        for name, column in declared_columns(painter).items()
        if name in provided or not column.optional
    )
