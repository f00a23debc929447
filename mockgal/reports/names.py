"""Names of catalogues in figures and tables: labels, or the ends of their paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError


def names_of(paths: Sequence[str], labels: Sequence[str] = ()) -> list[str]:
    """Return a name for each path: its label, or the shortest end that no other path has.

    Parameters
    ----------
    paths : sequence of str
    labels : sequence of str
        One for each path, or none.

    Returns
    -------
    list of str
        Unique names.

    Raises
    ------
    UsageError
        A repeated path or label, an empty label, or different numbers of labels and paths.
    """
    places = [os.path.realpath(path) for path in paths]
    for k, place in enumerate(places):
        if place in places[:k]:
            raise UsageError(
                "mockgal plot", f"{paths[k]}: a path twice", "each path once", "leave it out"
            )
    if not labels:
        return [_shortest_end(k, paths) for k in range(len(paths))]
    if len(labels) != len(paths):
        raise UsageError(
            "--label",
            f"{len(labels)} labels for {len(paths)} paths",
            "one for each path, in the same order",
            "add or remove labels, or leave --label out for names from the paths",
        )
    wrong = [label for k, label in enumerate(labels) if not label.strip() or label in labels[:k]]
    if wrong:
        raise UsageError(
            "--label",
            f"{wrong[0]!r}" + (" twice" if wrong[0].strip() else ""),
            "labels that tell the catalogues apart",
            "give another label",
        )
    return list(labels)


def _shortest_end(number: int, paths: Sequence[str]) -> str:
    parts = [Path(os.path.abspath(path)).parts for path in paths]
    own = parts[number]
    others = [part for k, part in enumerate(parts) if k != number]
    for length in range(1, len(own)):
        end = own[-length:]
        if all(other[-length:] != end for other in others):
            return "/".join(end)
    return os.path.abspath(paths[number])
