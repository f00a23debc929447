"""What is said of a fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...fitting.result import Fit


def describe(fit: Fit) -> Iterator[str]:
    """Yield the lines of a report: the data, the priors, the posterior, and its chi-square."""
    settings = fit.settings
    for one in settings["data"]:
        yield f"data        {one['name']}: {one['statistic']}, {one['bins_fitted']} bins"
    if "number_density_h3_mpc3" in settings:
        density = settings["number_density_h3_mpc3"]
        yield f"            density {density['value']:.4g} +- {density['error']:.2g} h^3/Mpc^3"
    for one in settings["covariances"]:
        number, factor = one["number"], one.get("scaled_by", 1.0)
        yield (
            f"covariance  {', '.join(one['names'])}: {one['numbers']} numbers, from {one['from']}"
            + (f" ({number}), its inverse times {one['hartlap_factor']:.4g}" * (number != "none"))
            + f", times {factor:.4g} for the structure of the box" * (factor != 1.0)
        )
    yield f"model       {fit.model}; likelihood {settings['likelihood']}, seed {settings['seed']}"
    for prior in fit.priors:
        yield f"prior       {prior.name}: {prior} ({prior.source})"
    free = {prior.name for prior in fit.priors}
    published = settings["published_parameters"]
    for label, names in (
        ("fixed", fit.best.keys() - free - published.keys()),
        ("published", published),
    ):
        values = [f"{name} = {fit.best[name]:.6g}" for name in fit.best if name in names]
        if values:
            yield f"{label:<12}{', '.join(values)}"
    for source in sorted({one["source"] for one in published.values()}):
        yield f"            of {source}"
    for name in fit.samples:
        best = f"; best {fit.best[name]:.5g}" if name in fit.best else ""
        yield f"posterior   {name} = {fit.in_words(name)}{best}"
    sampler = settings["sampler"]
    times = [x for x in sampler["autocorrelation_times"] if x != "none"]
    longest = f"{max(times):.3g}" if times else "unknown"
    yield (
        f"chain       {sampler['steps']:,} steps of {sampler['walkers']} walkers, autocorrelation "
        f"time {longest} steps; {len(fit):,} samples"
    )
    yield (
        f"chi-square  {fit.chi_square:.4g} of the best parameters, {fit.degrees_of_freedom} "
        f"degrees of freedom, p = {fit.p_value:.3g}"
    )
    mock = settings["mock"]
    if "refused" in mock:
        yield f"            a mock with them cannot be built: {mock['refused']}"
        return
    yield (
        f"            {mock['chi_square']:.4g} of a mock with them: {mock['galaxies']:,} galaxies, "
        f"seed {mock['seed']}"
    )
