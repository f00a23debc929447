"""Verdicts on mocks: the bars that they should keep, and whether the errors could tell.

A bin has power if a deviation as large as the bar would be found there: if the smallest detectable
deviation is not above the bar. Only bins with power decide. Where there are none the verdict is
`NO_POWER`, whatever the deviation: neither agreement nor disagreement within the bar is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...statistics.result import SIGNIFICANCE, Measurement
from .ratio import Ratio, ratio
from .statistics import PIT_KEY

Array = NDArray[Any]
Measurements = Mapping[str, Mapping[str, Measurement]]

WITHIN, OUTSIDE, NO_POWER, NOT_MEASURED = "within", "outside", "no power", "not measured"
_NONE: Mapping[str, str] = MappingProxyType({})
TRUTH, MATCHED = "truth", "matched"  # names of catalogues that are no mocks


class Bar(NamedTuple):
    """A largest relative deviation from the truth, in a range of the abscissa.

    ``wanted`` is the key of the measurement; the range excludes ``above`` and includes ``up_to``.
    """

    wanted: str
    estimate: str
    quantity: str
    reach: str
    deviation: float
    above: float = -np.inf
    up_to: float = np.inf


BARS = (
    Bar("power", "power", "power spectrum", "k up to 10 h/Mpc", 0.05, up_to=10.0),
    Bar("power", "power", "power spectrum", "k from 10 to 30 h/Mpc", 0.10, above=10.0, up_to=30.0),
    Bar("bispectrum", "bispectrum", "bispectrum", "all angles", 0.05),
    Bar("mass_function", "mass_function", "stellar-mass function", "bins of 0.25 dex", 0.05),
)
PIT = "calibration of the predicted scatter (PIT)"
PIT_BAR = 0.05  # largest distance between distribution functions


@dataclass(frozen=True)
class Verdict:
    """The verdict on one catalogue for one bar.

    Parameters
    ----------
    catalogue, quantity, reach : str
    bar : float
        Largest relative deviation allowed.
    verdict : str
        `WITHIN`, `OUTSIDE`, `NO_POWER` or `NOT_MEASURED`.
    bins, bins_with_power, bins_that_differ : int
        Bins with a ratio and its error; those with power; and those whose deviation is significant
        at 5%, of which one in twenty is expected by chance.
    deviation, error : float
        Largest relative deviation, among bins with power if there are some, and its standard error;
        NaN without bins.
    least_detectable, median_detectable : float
        Smallest detectable deviation, in the best and in the median bin; NaN without bins.
    note : str
        Why nothing was measured, or which bins were left out.
    """

    catalogue: str
    quantity: str
    reach: str
    bar: float
    verdict: str
    bins: int = 0
    bins_with_power: int = 0
    bins_that_differ: int = 0
    deviation: float = np.nan
    error: float = np.nan
    least_detectable: float = np.nan
    median_detectable: float = np.nan
    note: str = ""

    @property
    def differing_by_chance(self) -> float:
        """Number of bins expected to differ significantly if all deviations are by chance."""
        return SIGNIFICANCE * self.bins


def verdicts(
    measurements: Measurements, without_law: Mapping[str, str] = _NONE
) -> tuple[Verdict, ...]:
    """Return the verdict on each catalogue but the truth for each bar whose statistic is measured.

    Parameters
    ----------
    measurements : mapping of str to mapping of str to Measurement
        By catalogue (`TRUTH` among them) and key.
    without_law : mapping of str to str
        Why the law of a mock's painter is not known, by catalogue.
    """
    truth = measurements[TRUTH]
    judged = []
    for bar in BARS:
        for name, own in measurements.items():
            if name != TRUTH and bar.wanted in own and bar.wanted in truth:
                judged.append(_judge(bar, name, own[bar.wanted], truth[bar.wanted]))
    for name, own in measurements.items():
        if PIT_KEY in own:
            judged += _calibrated(name, own[PIT_KEY])
        elif name in without_law:
            no_law = (name, PIT, "all subhalos", PIT_BAR, NOT_MEASURED)
            judged.append(Verdict(*no_law, note=without_law[name]))
    return tuple(judged)


def _calibrated(name: str, pit: Measurement) -> list[Verdict]:
    """Return the verdicts on a law, of all subhalos and of luminous ones.

    The deviation is the distance of Kolmogorov and Smirnov, and the test counts as one bin.
    """
    judged = []
    for whose, test in pit.settings["kolmogorov_smirnov"].items():
        distance, least = test["statistic"], test["smallest_detectable_distance"]
        verdict = NO_POWER
        if least <= PIT_BAR:
            verdict = WITHIN if distance <= PIT_BAR else OUTSIDE
        judged.append(
            Verdict(
                *(name, PIT, f"{whose} subhalos", PIT_BAR, verdict),
                bins=1,
                bins_with_power=int(least <= PIT_BAR),
                bins_that_differ=int(test["p_value"] < SIGNIFICANCE),
                deviation=distance,
                least_detectable=least,
                note=f"largest distance between distributions; p = {test['p_value']:.2g}",
            )
        )
    return judged


def _judge(bar: Bar, name: str, mock: Measurement, truth: Measurement) -> Verdict:
    """Return the verdict for one bar."""
    found = ratio(mock, truth, bar.estimate)
    chosen = np.isfinite(found.value) & (found.error > 0)
    chosen &= (found.axis > bar.above) & (found.axis <= bar.up_to)
    note = _reach_note(bar, truth)
    if "complete" in truth.columns:
        whole = truth["complete"][found.rows].astype(bool)
        if whole.any():
            left_out = int(np.sum(chosen & ~whole))
            bins = "1 bin" if left_out == 1 else f"{left_out} bins"
            note = f"{bins} left out where the truth is not complete" * (left_out > 0)
            chosen &= whole
        else:
            note = "the truth does not state from which mass it is complete: all bins count"
    common = (name, bar.quantity, bar.reach, bar.deviation)
    if not chosen.any():
        return Verdict(*common, NOT_MEASURED, note=note or "no bin has a ratio with an error")
    return _weighed(common, found, chosen, note)


def _weighed(
    common: tuple[str, str, str, float], found: Ratio, chosen: Array, note: str
) -> Verdict:
    """Return the verdict from the bins that count."""
    bar = common[-1]
    size, error, least = (
        values[chosen] for values in (found.deviation, found.error, found.detectable)
    )
    power = least <= bar
    verdict = NO_POWER
    if power.any():
        verdict = WITHIN if np.all(np.abs(size[power]) <= bar) else OUTSIDE
    seen = np.flatnonzero(power if power.any() else np.ones_like(power))
    worst = seen[np.argmax(np.abs(size[seen]))]
    return Verdict(
        *common,
        verdict,
        bins=len(size),
        bins_with_power=int(power.sum()),
        bins_that_differ=int(np.sum(np.abs(size) > found.critical * error)),
        deviation=float(size[worst]),
        error=float(error[worst]),
        least_detectable=float(least.min()),
        median_detectable=float(np.median(least)),
        note=note,
    )


def _reach_note(bar: Bar, truth: Measurement) -> str:
    """Return that the bins end below the range of the bar, if they do."""
    if not np.isfinite(bar.up_to):
        return ""
    high = f"{truth.axis}_high"
    end = float(np.max(truth[high if high in truth.columns else truth.axis], initial=0.0))
    return f"bins end at k = {end:.3g} h/Mpc" * (end < 0.99 * bar.up_to)
