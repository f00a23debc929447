"""What a fit keeps in files: tables of pairs, for further fits, and the chain, to go on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...types import Scene
from .store import read_arrays, write_arrays

if TYPE_CHECKING:
    from ...fitting.likelihood import Posterior
    from ...fitting.sampler import Chain
    from ...fitting.tables.pairs import Bins, PairTable
    from ...fitting.tables.points import Places


def table_of(where: Places, bins: Bins, sim: Scene, folder: Path | None) -> PairTable:
    """Return the table of pairs in some bins: the one that is kept, or a new one."""
    from ...fitting.tables.pairs import PairTable, digest_of, tabulate

    if folder is None:
        return tabulate(where, bins, sim.snapshot)
    digest = digest_of(where, bins)
    path = folder / f"pairs-{bins.statistic}-{digest[:16]}.hdf5"
    kept = read_arrays(path, digest, f"the table of pairs {path}")
    if kept is not None:
        return PairTable(bins, kept["pairs"], sim.snapshot.box_size)
    table = tabulate(where, bins, sim.snapshot)
    facts = {"places": where.facts, "bins": bins.facts()}
    write_arrays(path, {"pairs": table.pairs}, digest, facts)
    return table


def kept_chain(path: Path, digest: str) -> tuple[Chain | None, Callable[[Chain], None]]:
    """Return the chain in a file, if it is of this fit, and what keeps a later one there."""
    from ...fitting.sampler import Chain

    def keep(chain: Chain) -> None:
        name, words, *numbers = chain.generator
        arrays = {
            "values": chain.values,
            "log_density": chain.log_density,
            "generator": words,
            "generator_numbers": np.array(numbers, dtype=np.float64),
        }
        write_arrays(path, arrays, digest, {"generator": name})

    kept = read_arrays(path, digest, f"the chain {path}")
    if kept is None:
        return None, keep
    place, has_gauss, gauss = kept["generator_numbers"]
    generator = ("MT19937", kept["generator"], int(place), int(has_gauss), float(gauss))
    return Chain(kept["values"], kept["log_density"], generator), keep


def chain_digest(posterior: Posterior, where: Places, seed: int) -> str:
    """Return the BLAKE2b-256 of all that a chain depends on."""
    density = posterior.density
    facts = {
        "places": where.facts,
        "priors": [list(one) for one in posterior.priors],
        "fixed": sorted(posterior.fixed.items()),
        "model": [posterior.model, posterior.modulated, posterior.likelihood, seed],
        "log_stellar_mass": posterior.log_stellar_mass,
        "density": None if density is None else [density.value, density.error],
        "data": [[one.bins.facts(), one.rows.tolist()] for one, _ in posterior.targets],
        "blocks": [
            [
                *(one.members, one.with_density, one.number),
                *(one.value.tolist(), one.matrix.tolist()),
            ]
            for one in posterior.blocks
        ],
    }
    text = json.dumps(facts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
