"""Score weights at subhalos that they were not trained on: numbers, and a card to read.

Every deviation has its error, the smallest deviation that could be detected, and a verdict.
Verdicts are ``within`` or ``outside`` the bar, or ``no power``: a deviation as large as the bar
might go undetected, and none exceeds the bar by more than the smallest detectable one. Subhalos at
one redshift count as independent; structures held out at several redshifts count once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from ...columns import FURTHER_TARGETS
from ...errors import BadValueError
from ...laws.distribution import Distribution
from ...laws.normal import mean_above
from ...painters.cnn.architecture import MEAN_ONLY
from ...painters.cnn.weights.named import Weights
from ...statistics.pit import (
    kolmogorov_smirnov,
    probability_integral_transform,
    smallest_detectable_distance,
)
from ...statistics.result import POWER, SIGNIFICANCE
from ..data.samples import TEST, CropBatches, Samples
from ..losses import Loss
from .predict import outputs
from .selection import PowerComparison, law_of, stellar_mass

Array = NDArray[Any]

BAR = 0.05  # for masses, power up to `LARGE_SCALES`, probabilities and their distribution
SMALL_SCALE_BAR, LARGE_SCALES = 0.10, 10.0  # h/Mpc
MASS_BIN, PROBABILITY_BINS = 0.5, 10  # dex
DRAWS = 16
POWER_RANGE = (0.0, 30.0)  # h/Mpc
NO_POWER = "no power"


def evaluate(
    weights: Weights,
    samples: Samples,
    *,
    seed: int,
    part: int = TEST,
    power_range: tuple[float, float] = POWER_RANGE,
    batch_size: int = 32,
) -> dict[str, Any]:
    """Score weights at the subhalos of a part of the samples, on a CPU.

    Parameters
    ----------
    weights : Weights
    samples : Samples
        Samples with the same grid and features as the weights.
    seed : int
        Seed of the draws.
    part : int
        `TEST`, or another part.
    power_range : tuple of float
        Range of wavenumbers to compare power at [h/Mpc]; cut at half the Nyquist wavenumber.
    batch_size : int

    Returns
    -------
    dict
        Plain JSON values.

        - ``residuals``: log10 of true stellar mass of luminous subhalos minus its predicted mean,
          given that they are luminous, by bound mass.
        - ``pit``: the probability integral transform; None for a network that gives only the mean.
        - ``luminous``: share of luminous subhalos, by predicted probability.
        - ``power`` and ``mass``: ratios of `DRAWS` draws to the truth. Their errors are the spread
          of the draws, since the truth is like one draw if the law holds.
        - ``further``: for each further target, at the true stellar mass, its ``residuals`` and
          ``pit``, a test of its probability integral transform; both None if no value is known.
        - ``independent``: fraction of the subhalos that errors are based on, less than 1 if
          structures appear at several redshifts.

    Raises
    ------
    BadValueError
        The part has no luminous subhalo, or its regions are too small to measure power.
    """
    rows = samples.rows(part)
    if not samples.luminous[rows].any():
        raise BadValueError(
            "held-out rows",
            f"{len(rows)} subhalos, none of them with a galaxy",
            "at least one with a galaxy",
        )
    batches = CropBatches.unturned(samples, rows, weights, batch_size)
    output, loss, _ = outputs(weights.network(), batches, rows, torch.device("cpu"), Loss(weights))
    predicted = law_of(samples, rows, output, weights)
    mass = stellar_mass(samples, weights)[rows]
    known = np.flatnonzero(mass > 0)
    comparison = PowerComparison(samples, rows, weights, power_range=power_range)
    with_law = weights.architecture.outputs != MEAN_ONLY
    mean = predicted.location[known]
    if with_law:  # given that they are luminous
        mean = mean_above(mean, predicted.scale[known], predicted.floor)
    residual = np.log10(mass[known]) - mean
    independent = samples.independent(rows)
    power, ratio = _power(comparison, output, seed, with_law, independent)
    return {
        "weights": weights.name,
        "weights_digest": weights.digest(),
        "subhalos": len(rows),
        "luminous_subhalos": int(np.count_nonzero(samples.luminous[rows])),
        "independent": independent,
        "loss": loss,
        "seed": seed,
        "bar": BAR,
        "residuals": _residuals(residual, samples, rows[known]),
        "pit": _pit(predicted, mass, samples.draw_ids(rows), seed, independent)
        if with_law
        else None,
        "luminous": _luminous(predicted.p_luminous, samples, rows, with_law),
        "power": power,
        "mass": ratio,
        "further": {
            name: _further(predicted.take(known), name, np.log10(mass[known]), samples, rows[known])
            for name in weights.architecture.further
        },
        "power_comparison": comparison.record,
        "split": dict(samples.record),
    }


def verdict(deviation: float, detectable: float | None, bar: float) -> str:
    """Return ``within`` or ``outside`` the bar, or `NO_POWER`.

    Parameters
    ----------
    deviation : float
    detectable : float or None
        The smallest deviation that a two-sided test at 5% significance detects with 80%
        probability; None if it is not known.
    bar : float
    """
    if detectable is None:
        return NO_POWER
    if abs(deviation) > bar + detectable:
        return "outside"
    if detectable > bar:
        return NO_POWER
    return "within" if abs(deviation) <= bar else "outside"


def _row(
    value: float,
    target: float,
    error: float | None,
    n: float,
    bar: float,
    spread: float | None = None,
) -> dict[str, Any]:
    """Return a value with its error, of n - 1 degrees of freedom, and its verdict on the target.

    ``spread`` is the error of a value that is off by the bar, where this can be larger.
    """
    detectable = None
    if error is not None and math.isfinite(error) and n > 1:
        quantiles = stats.t.ppf([1.0 - SIGNIFICANCE / 2.0, POWER], n - 1)
        detectable = float(quantiles.sum() * max(error, spread or 0.0))
    return {
        "value": float(value),
        "error": error,
        "smallest_detectable_deviation": detectable,
        "bar": bar,
        "verdict": verdict(value - target, detectable, bar),
    }


def _residuals(residual: Array, samples: Samples, rows: Array) -> list[dict[str, Any]]:
    """Return bias and scatter for all luminous subhalos, and in bins of bound mass."""
    place = np.floor(np.log10(samples.mass[rows]) / MASS_BIN).astype(int)
    groups: list[tuple[list[float] | None, Array]] = [(None, np.arange(len(rows)))]
    groups += [
        ([k * MASS_BIN, (k + 1) * MASS_BIN], np.flatnonzero(place == k))
        for k in np.unique(place).tolist()
    ]
    table = []
    for edges, mine in groups:
        n, values = len(mine), residual[mine]
        structures = n * samples.independent(rows[mine])
        scatter = float(np.std(values, ddof=1)) if n > 1 else None
        error = scatter / math.sqrt(structures) if scatter is not None else None
        bias = _row(float(np.mean(values)), 0.0, error, structures, math.log10(1.0 + BAR))
        table.append({"log_mass": edges, "subhalos": n, "scatter": scatter, "bias": bias})
    return table


def _further(
    d: Distribution, name: str, log_mass: Array, samples: Samples, rows: Array
) -> dict[str, Any]:
    """Return residuals and transform of a further target, at the true stellar mass."""
    known = np.flatnonzero(np.isfinite(samples.further[name][rows]))
    if not known.size:
        return {"residuals": None, "pit": None}
    law, rows = d.further[FURTHER_TARGETS[name].name].take(known), rows[known]
    truth = samples.further[name][rows]
    test = kolmogorov_smirnov(law.cdf(log_mass[known], truth))
    judged = _judged(test, len(known), samples.independent(rows))
    return {
        "residuals": _residuals(truth - law.mean(log_mass[known]), samples, rows),
        "pit": judged | {"subhalos": len(known)},
    }


def _judged(test: Mapping[str, float], number: int, independent: float) -> dict[str, Any]:
    """Add bar and verdict to a test of a distribution, for the independent part of subhalos."""
    if independent < 1.0:
        number = max(1, int(number * independent))
        test = dict(test) | {
            "p_value": float(stats.kstwo.sf(test["statistic"], number)),
            "smallest_detectable_distance": smallest_detectable_distance(number),
        }
    judged = verdict(test["statistic"], test["smallest_detectable_distance"], BAR)
    return dict(test) | {"bar": BAR, "verdict": judged}


def _pit(d: Distribution, mass: Array, ids: Array, seed: int, independent: float) -> dict[str, Any]:
    measured = probability_integral_transform(d, mass, ids=ids, seed=seed)
    numbers = {"all": len(mass), "luminous": measured.settings["luminous"]}
    tests = {
        name: _judged(test, numbers[name], independent)
        for name, test in measured.settings["kolmogorov_smirnov"].items()
    }
    names = [*measured.estimates, *(f"{name}_error" for name in measured.estimates)]
    names += ["probability_low", "probability_high"]
    return {
        "kolmogorov_smirnov": tests,
        "luminous_outside_the_law": measured.settings["luminous_outside_the_law"],
        "histogram": {name: measured[name].tolist() for name in names},
    }


def _luminous(p: Array, samples: Samples, rows: Array, with_law: bool) -> list[dict[str, Any]]:
    """Return the share of luminous subhalos in bins of predicted probability."""
    luminous = samples.luminous[rows]
    place = np.minimum((p * PROBABILITY_BINS).astype(int), PROBABILITY_BINS - 1)
    table = []
    for k in np.unique(place).tolist():
        mine = np.flatnonzero(place == k)
        n, expected = len(mine), float(np.mean(p[mine]))
        structures = n * samples.independent(rows[mine])
        # Near 0 and 1, shares that are off by the bar scatter far more than correct ones.
        off = np.clip(p[mine] + (BAR if expected < 0.5 else -BAR), 0.0, 1.0)
        error, spread = (
            math.sqrt(float(np.mean(q * (1.0 - q))) / structures) if with_law else None
            for q in (p[mine], off)
        )
        share = float(np.mean(luminous[mine]))
        row = {"probability": expected, "subhalos": n}
        table.append(row | {"share": _row(share, expected, error, structures, BAR, spread)})
    return table


def _power(
    comparison: PowerComparison, output: Array, seed: int, with_law: bool, independent: float
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the ratios of drawn to true power, and of drawn to true mass."""
    scores = [comparison.score(output, seed=seed + k) for k in range(DRAWS if with_law else 1)]
    known = [score for score in scores if score.score is not None]
    if not known:
        nothing = {"value": None, "error": None, "smallest_detectable_deviation": None}
        return [], nothing | {"bar": BAR, "verdict": NO_POWER}

    def compared(ratios: Array, bar: float, independent: float = 1.0) -> dict[str, Any]:
        n = len(ratios)
        # Error of the mean of the draws minus the truth, which is itself like a draw
        widened = math.sqrt((1.0 + 1.0 / n) / independent)
        error = float(np.std(ratios, ddof=1)) * widened if n > 1 else None
        return _row(float(np.mean(ratios)), 1.0, error, n, bar)

    shells = []
    for number, region in enumerate(comparison.regions):
        truth = region.truth["power"][region.used]
        ratios = np.array([score.power[number] for score in known]) / truth
        for j, k in enumerate(region.truth["k"][region.used].tolist()):
            bar = BAR if k <= LARGE_SCALES else SMALL_SCALE_BAR
            row = {"region": number, "k_h_per_mpc": k}
            shells.append(row | {"ratio": compared(ratios[:, j], bar)})
    return shells, compared(np.array([score.mass_ratio for score in known]), BAR, independent)


def card(found: Mapping[str, Any]) -> str:
    """Return the scores of `evaluate` in Markdown."""
    lines = [
        f"# Weights {found['weights']}",
        "",
        f"Held out: {found['subhalos']} subhalos, {found['luminous_subhalos']} of them luminous. "
        f"Digest {found['weights_digest'][:16]}.",
        *(
            [
                "",
                f"Errors are as of {found['independent']:.0%} of them: that many structures, each"
                " at one redshift.",
            ]
            if found["independent"] < 1.0
            else []
        ),
        "",
        f"Bars are {BAR:.0%} ({SMALL_SCALE_BAR:.0%} for power beyond {LARGE_SCALES:g} h/Mpc). "
        f"`{NO_POWER}`: these subhalos are too few to see a deviation as large as the bar.",
        "",
        "## Stellar mass: log10 of the true one, less its predicted mean",
        "",
        *_residual_table(found["residuals"]),
        "",
        "## Calibration (probability integral transform)",
        "",
    ]
    if found["pit"] is None:
        lines.append("None: this network gives no distribution, and no scatter is painted.")
    else:
        lines += _test_table(found["pit"]["kolmogorov_smirnov"])
    lines += ["", "## Luminous subhalos", ""]
    lines += _table(
        ("predicted probability", "subhalos", "share that is luminous"),
        [[f"{r['probability']:.3f}", r["subhalos"], _text(r["share"])] for r in found["luminous"]],
    )
    lines += ["", "## Power spectrum: painted over true", ""]
    lines += _table(
        ("region", "k [h/Mpc]", "ratio"),
        [[r["region"], f"{r['k_h_per_mpc']:.3g}", _text(r["ratio"])] for r in found["power"]],
    )
    lines += ["", f"Total stellar mass, painted over true: {_text(found['mass'])}.", ""]
    for name, scores in found["further"].items():
        lines += [f"## {name}: log10 of true over predicted, at the true stellar mass", ""]
        if scores["pit"] is None:
            lines += ["No galaxy held out has one.", ""]
            continue
        lines += [*_residual_table(scores["residuals"]), ""]
        lines += [*_test_table({scores["pit"]["subhalos"]: scores["pit"]}), ""]
    lines += ["## What they are not good for", "", *(f"- {text}" for text in not_good_for(found))]
    return "\n".join(lines) + "\n"


def not_good_for(found: Mapping[str, Any]) -> list[str]:
    """Return in words what these scores do not show, or show to be wrong."""
    verdicts = {
        "the mean stellar mass at a given subhalo mass": [r["bias"] for r in found["residuals"]],
        "the share of luminous subhalos": [r["share"] for r in found["luminous"]],
        "the power spectrum of stellar mass": [r["ratio"] for r in found["power"]],
        "the total stellar mass": [found["mass"]],
        "the distribution of stellar mass": []
        if found["pit"] is None
        else list(found["pit"]["kolmogorov_smirnov"].values()),
    }
    for name, scores in found["further"].items():
        known = scores["pit"] is not None
        verdicts[f"the mean {name} at a given stellar mass"] = (
            [r["bias"] for r in scores["residuals"]] if known else [{"verdict": NO_POWER}]
        )
        verdicts[f"the distribution of {name}"] = [scores["pit"]] if known else []
    texts = []
    for what, rows in verdicts.items():
        outside = sum(row["verdict"] == "outside" for row in rows)
        blind = sum(row["verdict"] == NO_POWER for row in rows)
        if outside:
            texts.append(f"{what}: outside the bar in {outside} of {len(rows)} tests")
        if blind:
            texts.append(f"{what}: {NO_POWER} in {blind} of {len(rows)} tests; nothing is claimed")
    if found["pit"] is None:
        texts.append("scatter of stellar mass: the network gives none, so that masses are too even")
    texts.append("simulations of another resolution, redshift or cosmology than they state")
    texts.append("statistics that are not in this card")
    return texts


def _residual_table(rows: list[dict[str, Any]]) -> list[str]:
    return _table(
        ("log10 M [Msun/h]", "subhalos", "scatter [dex]", "bias [dex]"),
        [
            [
                "all" if r["log_mass"] is None else "{:g} to {:g}".format(*r["log_mass"]),
                r["subhalos"],
                "-" if r["scatter"] is None else f"{r['scatter']:.3f}",
                _text(r["bias"]),
            ]
            for r in rows
        ],
    )


def _test_table(tests: Mapping[Any, Mapping[str, Any]]) -> list[str]:
    columns = ("subhalos", "statistic", "p-value", "smallest detectable", "verdict")
    keys = ("statistic", "p_value", "smallest_detectable_distance")
    return _table(
        columns, [[n, *(f"{t[k]:.3g}" for k in keys), t["verdict"]] for n, t in tests.items()]
    )


def _text(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return f"- ({row['verdict']})"
    error = "" if row["error"] is None else f" +- {row['error']:.3f}"
    return f"{row['value']:.3f}{error} ({row['verdict']})"


def _table(names: tuple[str, ...], rows: list[list[Any]]) -> list[str]:
    text = [" | ".join(names), " | ".join("---" for _ in names)]
    text += [" | ".join(str(value) for value in row) for row in rows]
    return [f"| {line} |" for line in text]
