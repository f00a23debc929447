"""Ids for surveys, in which copies of the box make one galaxy several objects.

An id is a hash of the galaxy's id and the number of its copy, of 58 bits, with bit 58 set, which
DESI's TARGETID has for mocks. If two objects share one, all are drawn again. So no two of a file
do, whatever ids the simulation has, and the order of ids says nothing of places. Ids of randoms
depend on their seed, so that files of several seeds can be joined.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import random
from ...columns import COPY_OF_THE_BOX, NEXT_SNAPSHOT
from ...errors import ResourceError
from ...types import Array, GalaxyCatalog

BITS = 58
MOCK = 1 << BITS  # set in all of them
_ATTEMPTS = 64
_SEED = 0  # of galaxies: the same one has the same id in all mocks of a simulation


def keyed_ids(
    galaxies: GalaxyCatalog, what: str, columns: Sequence[str] = ("galaxy_id",)
) -> list[Array]:
    """Return ids of galaxies, or of their halos, each of one copy of the box.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    what : str
        ``"galaxies"`` or ``"randoms"``, whose ids are unrelated, as are those of randoms whose
        record has another seed.
    columns : sequence of str
        Of ids in the simulation. Those that are equal in several columns have one id: a central
        has the id of its halo, as in the catalogue.

    Returns
    -------
    list of ndarray of int64, shape (n,)
        For each of ``columns``.

    Raises
    ------
    ResourceError
        There are too many objects for so many bits.
    """
    rows, seed = len(galaxies), _SEED
    if what == "randoms" and isinstance(galaxies.provenance.get("seed"), int):
        seed = galaxies.provenance["seed"]
    ids = np.concatenate([galaxies[name] for name in columns])
    copy = np.full(rows, COPY_OF_THE_BOX) if "copy" not in galaxies else galaxies["copy"]
    copy = np.tile(copy, len(columns))
    snapshots, which = np.unique(copy // NEXT_SNAPSHOT, return_inverse=True)
    parts = [np.flatnonzero(which == k) for k in range(len(snapshots))]
    keyed = np.zeros(len(ids), dtype=np.int64)
    for attempt in range(_ATTEMPTS):
        for part in parts:
            stream, _ = random.of_snapshot(f"survey ids of {what}", int(copy[part[0]]))
            keyed[part] = random.integers(
                *(seed, stream, ids[part]),
                bits=BITS,
                draw=attempt,
                sub_index=copy[part] % NEXT_SNAPSHOT,
            )
        if not _shared(keyed, ids, copy):
            keyed |= MOCK
            return np.split(keyed, len(columns))
    raise ResourceError(
        "ids of the survey",
        f"{rows} objects, which {_ATTEMPTS} draws did not give ids of their own",
        f"far fewer than 2^{BITS // 2}",
        "write the catalogue in parts",
    )


def _shared(keyed: Array, ids: Array, copy: Array) -> bool:
    """Return whether two objects that differ have one id."""
    order = np.argsort(keyed, kind="stable")
    ordered = keyed[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    first, second = order[same], order[same + 1]
    return bool(((ids[first] != ids[second]) | (copy[first] != copy[second])).any())
