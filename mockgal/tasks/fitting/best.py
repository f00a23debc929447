"""The mock of the best parameters: how far it is from the data, and what predictions lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import MockgalError, listening, warn
from ...random import stream_key
from ...types import GalaxyCatalog, Scene
from ..steps.paint import paint_with, populate_with, satellite_options

if TYPE_CHECKING:
    from ...fitting.likelihood import Posterior
    from ...painters.halotools.models import ModelPainter

_LACKING = 0.01  # share of the galaxies: what a prediction may lack without a warning


def seed_of(seed: int) -> int:
    """Return the seed of the mock: another than that of a mock that may be the data."""
    return stream_key(seed, "mock of the best parameters")[0]


def best_mock(
    sim: Scene,
    posterior: Posterior,
    painter: ModelPainter,
    populate_options: dict[str, Any] | None,
    seed: int,
) -> dict[str, Any]:
    """Return the number of galaxies and the chi-square of a mock, as plain JSON values.

    Warn of what a build of it warns of, and of galaxies that are in no prediction, since the
    simulation or the law has no hosts for them.

    Parameters
    ----------
    sim : Scene
    posterior : Posterior
    painter : ModelPainter
        With the best parameters.
    populate_options : dict or None
        How satellites are made; None if they are the subhalos.
    seed : int
        Of the fit.
    """
    from ...fitting.measured import measured

    law: Any = painter
    own = seed_of(seed)
    try:
        with listening(quiet=True) as said:
            if populate_options is not None:
                options = satellite_options(populate_options)
                sim = populate_with(sim, law, own, options, {})
            galaxies = paint_with(sim, law, own)
    except MockgalError as error:  # the posterior is found, and not lost for this
        warn(f"a mock of the best parameters cannot be built: {error}")
        return {"seed": own, "refused": str(error)}
    lacking = galaxies.provenance.get("lacking", {})
    share, uncertainty = lacking.get("share", 0.0), lacking.get("uncertainty", 0.0)
    if share - 2.0 * uncertainty > _LACKING:
        warn(
            f"about {share:.0%} (+- {uncertainty:.0%}) of the galaxies of the best parameters are "
            f"missing from the prediction, and the parameters are off: {lacking['because']}. Fit "
            "in a simulation that has them, or brighter galaxies"
        )
    for text in said:
        if lacking.get("because", "\0") not in text:
            warn(f"a mock of the best parameters: {text}")
    _warn_of_bins(galaxies, posterior)
    density = len(galaxies) / sim.snapshot.box_size**3
    return {
        "seed": own,
        "galaxies": len(galaxies),
        "content_digest": galaxies.digest(),
        "lacking": dict(lacking),
        "chi_square": posterior.chi_square(measured(galaxies, posterior), density),
    }


def _warn_of_bins(galaxies: GalaxyCatalog, posterior: Posterior) -> None:
    """Warn if bins of a mass function are fitted in which a mock is not complete."""
    from ...fitting.tables.masses import StellarMassBins

    low = galaxies.completeness.low
    for target, table in posterior.targets:
        if low is None or not isinstance(table.bins, StellarMassBins):
            continue
        short = int(np.sum(np.array(table.bins.edges)[target.rows] < low * (1 - 1e-6)))
        if short:
            warn(
                f"{target.name}: {short} of the {len(target.rows)} bins that are fitted begin "
                f"below {low:.4g} Msun/h, from which on a mock of the best parameters is complete "
                f"({galaxies.completeness.because}): predictions lack galaxies there. Give "
                f'--luminosity-floor "{low:.4g} Msun/h", or a simulation that resolves their hosts'
            )
