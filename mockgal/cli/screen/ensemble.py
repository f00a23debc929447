"""What the screen says of the mocks of several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..command import Outcome
from .mock import catalogue_lines, survey_lines

if TYPE_CHECKING:
    from ...tasks.ensembles.mocks import Ensemble


def of_ensemble(ensemble: Ensemble) -> Outcome:
    """Return the lines and the facts of an ensemble that was built."""
    members, first = ensemble.members, ensemble.first
    numbers = np.array([one.galaxies for one in members])
    made = len(members) - ensemble.kept
    painter = first.provenance.get("painter", {}).get("name", "not stated")
    lines = [
        f"ensemble    {len(members):,} mocks: {made:,} made, {ensemble.kept:,} kept from before",
        f"painter     {painter}, seeds {members[0].seed} to {members[-1].seed}",
        f"galaxies    {numbers.mean():,.1f} on average, {numbers.min():,} to {numbers.max():,}"
        + (f", standard deviation {numbers.std(ddof=1):,.1f}" if len(members) > 1 else ""),
        f"seeds       differ in {_VARIED}: not in its law, nor in structure",
        f"            the first mock, of seed {members[0].seed}:",
        *survey_lines(first),
        *catalogue_lines(first),
        f"wrote       {members[0].path} to {members[-1].path}",
        f"manifest    wrote {ensemble.manifest}",
    ]
    facts = {
        "manifest": ensemble.manifest,
        "made": made,
        "kept": ensemble.kept,
        "mocks": [
            {
                "seed": one.seed,
                "path": one.path,
                "galaxies": one.galaxies,
                "content_digest": one.content_digest,
                **({} if one.randoms is None else {"randoms": one.randoms}),
            }
            for one in members
        ],
        "wrote": [*(one.path for one in members), ensemble.manifest],
    }
    return Outcome(lines, facts)


_VARIED = "the painter's draw, and in the satellites and the survey if these are drawn"
