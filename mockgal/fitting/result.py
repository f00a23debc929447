"""The result of a fit: samples of the posterior, the best parameters, and their chi-square."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..system.display import Shown
from .blocks import Block
from .data import DENSITY, KNOWN
from .likelihood import Posterior
from .priors import Prior
from .sampler import Samples

if TYPE_CHECKING:
    from astropy.table import Table

Array = NDArray[Any]

FORMAT = "mockgal fit 2"
DERIVED = {
    "number_density": (DENSITY, "mean number density of galaxies"),
    "satellite_fraction": ("", "share of satellites"),
}
_WRITTEN = {DENSITY: "h^3/Mpc^3"}
LEVELS = (0.16, 0.5, 0.84)  # of the intervals in reports


class Fitted(NamedTuple):
    """A statistic that was fitted, with the prediction of the best parameters.

    Parameters
    ----------
    name : str
    statistic : str
    axis : str
        Name of the abscissa.
    unit : str
    abscissa, value, error, best : ndarray, shape (n,)
        The data with their errors, and the prediction.
    low, high : ndarray, shape (n,)
        Ends of the interval that holds 68% of the predictions of the samples.
    """

    name: str
    statistic: str
    axis: str
    unit: str
    abscissa: Array
    value: Array
    error: Array
    best: Array
    low: Array
    high: Array

    def as_plain(self) -> dict[str, Any]:
        """Return the numbers and names as plain JSON values."""
        return {
            name: value if isinstance(value, str) else [float(x) for x in value]
            for name, value in self._asdict().items()
        }


class Interval(NamedTuple):
    """The median of a parameter, and the ends of the interval with 68% of its posterior."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, repr=False)
class Fit(Shown):
    """The posterior of the parameters of a HOD.

    Parameters
    ----------
    model : str
    priors : tuple of Prior
        Of the free parameters, with their units.
    samples : mapping of str to ndarray, shape (n,)
        The free parameters, in the unit of the model; ``number_density`` [h^3 Mpc^-3] and
        ``satellite_fraction``. All samples have the same weight.
    log_density : ndarray, shape (n,)
        Logarithm of the posterior density, but for a constant.
    best : mapping of str to float
        All parameters at the largest posterior density.
    chi_square : float
        Of the best parameters.
    degrees_of_freedom : int
        Numbers fitted less free parameters.
    p_value : float
        Probability of a larger chi-square, if the model is right.
    fitted : tuple of Fitted
        What was fitted; a number density is in ``settings``.
    recipe : mapping
        Of a mock with the best parameters: keys of `mockgal.recipe.Recipe`.
    settings : mapping
        What determines the numbers, as plain JSON values.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5", drop_bad=True)
    >>> data = mockgal.measure(mockgal.paint(sim, "hod", seed=1), "xi", bins=5)
    >>> found = mockgal.fit(
    ...     sim,
    ...     data,
    ...     model="zheng07",
    ...     stellar_mass_law="moster13",
    ...     seed=1,
    ...     parameters={"sigma_logM": 0.2, "logM0": 10.5, "logM1": 11.8, "alpha": 1.0},
    ...     priors={"logMmin": (10.0, 12.0)},
    ...     steps=100,
    ... )
    >>> low, median, high = (found.interval("logMmin")[i] for i in (1, 0, 2))
    >>> low < median < high, found.degrees_of_freedom
    (True, 3)
    """

    model: str
    priors: tuple[Prior, ...]
    samples: Mapping[str, Array]
    log_density: Array
    best: Mapping[str, float]
    chi_square: float
    degrees_of_freedom: int
    p_value: float
    fitted: tuple[Fitted, ...]
    recipe: Mapping[str, Any]
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in ("samples", "best", "recipe", "settings"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __len__(self) -> int:
        return len(self.log_density)

    def _lines(self) -> tuple[str, list[tuple[str, str]]]:
        lines = [(name, self.in_words(name)) for name in self.samples]
        lines.append(
            (
                "chi-square",
                f"{self.chi_square:.4g} with {self.degrees_of_freedom} degrees of freedom, "
                f"p = {self.p_value:.3g}",
            )
        )
        volume = self.settings.get("survey_volume_mpc3_h3")
        if isinstance(volume, float):
            factor = max(one.get("scaled_by", 1.0) for one in self.settings["covariances"])
            lines.append(
                ("survey", f"{volume:.4g} Mpc^3/h^3: covariances of its data times {factor:.4g}")
            )
        return f"Fit of {self.model}", lines

    def interval(self, name: str) -> Interval:
        """Return the median and the 68% interval of a parameter, or of a derived number."""
        low, median, high = np.quantile(self.samples[name], LEVELS)
        return Interval(float(median), float(low), float(high))

    def unit(self, name: str) -> str:
        """Return the unit of a parameter, or of a derived number, as people write it."""
        units = {prior.name: prior.unit for prior in self.priors}
        units |= {key: _WRITTEN.get(unit, unit) for key, (unit, _) in DERIVED.items()}
        return units[name]

    def in_words(self, name: str) -> str:
        """Return the median with its 68% interval, as text."""
        median, low, high = self.interval(name)
        digits = max(0, 1 - math.floor(math.log10(max(high - low, 1e-300))))
        if digits <= 6:
            text = f"{median:.{digits}f} +{high - median:.{digits}f} -{median - low:.{digits}f}"
        else:
            text = f"{median:.4g} +{high - median:.2g} -{median - low:.2g}"
        return f"{text} {self.unit(name)}".rstrip()

    def to_table(self) -> Table:
        """Return the samples as an astropy table with units; ``meta`` has all the rest."""
        from astropy import units
        from astropy.cosmology import units as cosmology_units
        from astropy.table import Table

        table = Table()
        for name, values in self.samples.items():
            table[name] = values
            unit, meaning = DERIVED.get(name, ("", f"parameter of {self.model}"))
            if unit:
                with units.add_enabled_units(cosmology_units):
                    table[name].unit = units.Unit(unit)
            elif self.unit(name):
                meaning += f" [{self.unit(name)}]"
            table[name].description = meaning
        table["log_density"] = self.log_density
        table["log_density"].description = "log of the posterior density, but for a constant"
        table.meta = {
            "format": FORMAT,
            "model": self.model,
            "priors": [one._asdict() for one in self.priors],
            "best": {name: float(value) for name, value in self.best.items()},
            "chi_square": self.chi_square,
            "degrees_of_freedom": self.degrees_of_freedom,
            "p_value": self.p_value,
            "intervals_68_percent": {
                name: {key: float(x) for key, x in self.interval(name)._asdict().items()}
                for name in self.samples
            },
            "fitted": [one.as_plain() for one in self.fitted],
            "recipe": _plain(self.recipe),
            "settings": _plain(self.settings),
        }
        return table

    def to_ecsv(self) -> str:
        """Return the samples and all the rest as the text of an ECSV file."""
        from ..system.files.ecsv import sealed

        return sealed(self.to_table())

    def facts(self) -> dict[str, Any]:
        """Return the result without its samples, as plain JSON values."""
        return {
            "kind": "fit",
            "model": self.model,
            "priors": {prior.name: str(prior) for prior in self.priors},
            "best": dict(self.best),
            "intervals_68_percent": {name: self.interval(name)._asdict() for name in self.samples},
            "units": {name: self.unit(name) or None for name in self.samples},
            "chi_square": self.chi_square,
            "degrees_of_freedom": self.degrees_of_freedom,
            "p_value": self.p_value,
            "samples": len(self),
            "settings": _plain(self.settings),
        }

    def data_table(self) -> Table:
        """Return the data and the prediction of the best parameters as an astropy table."""
        from astropy.table import Table

        rows = [
            (one.statistic, *(float(column[i]) for column in one[4:10]))
            for one in self.fitted
            for i in range(len(one.value))
        ]
        names = ["statistic", "abscissa", "value", "error", "best", "best_low", "best_high"]
        table = Table(rows=rows or None, names=names, dtype=["U", *["f8"] * 6])
        meanings = {
            "abscissa": "separation [Mpc/h]; of mass_function, stellar mass [Msun/h]",
            "value": "the data, in the unit of the statistic",
            "error": "their standard errors",
            "best": "prediction of the best parameters",
            "best_low": "lower end of 68% of the predictions of the samples",
            "best_high": "upper end of 68% of the predictions of the samples",
        }
        for name, meaning in meanings.items():
            table[name].description = meaning
        table.meta = {
            "format": f"{FORMAT}, data",
            "chi_squares": [
                [one["names"], one["chi_square"]] for one in self.settings["covariances"]
            ],
        }
        return table

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the samples as ECSV; the file appears complete or not at all.

        Raises
        ------
        OutputExistsError, OutputError
            See `mockgal.system.files.atomic.atomic_output`.
        """
        _save(self.to_ecsv(), path, overwrite)

    def save_data(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the data and the prediction as ECSV; the file appears complete or not at all."""
        from ..system.files.ecsv import sealed

        _save(sealed(self.data_table()), path, overwrite)

    def save_recipe(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the recipe of a mock with the best parameters, for ``mockgal build --recipe``."""
        import yaml

        from ..system.files.atomic import atomic_output

        text = yaml.safe_dump(dict(self.recipe), sort_keys=False)
        with atomic_output(Path(path), overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _save(text: str, path: Path | str, overwrite: bool) -> None:
    from ..system.files.atomic import atomic_output

    with atomic_output(Path(path), overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _plain(value: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(dict(value), allow_nan=False))


def result(
    posterior: Posterior,
    best: Array,
    found: Samples,
    recipe: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Fit:
    """Return the result of a fit.

    Parameters
    ----------
    posterior : Posterior
    best : ndarray, shape (k,)
        The best parameters.
    found : Samples
    recipe, settings
        See `Fit`.
    """
    predicted, density, share = posterior.predict(found.values)
    at_best, density_at_best, share_at_best = posterior.predict(best[None])
    raw = [float(x[0]) for x in posterior.chi_squares(at_best, density_at_best)]
    scaled = [block.hartlap * x for block, x in zip(posterior.blocks, raw, strict=True)]
    fitted, total = [], sum(scaled)
    for (target, _), values, one in zip(posterior.targets, predicted, at_best, strict=True):
        low, _, high = np.quantile(values, LEVELS, axis=0)
        fitted.append(
            Fitted(
                *(target.name, target.statistic, target.bins.axis, target.unit),
                *(target.abscissa, target.value, target.error, one[0], low, high),
            )
        )
    freedom = posterior.bins - len(posterior.priors)
    numbers: dict[str, Any] = {
        "likelihood": posterior.likelihood,
        "data": [_about(posterior, i) for i in range(len(posterior.targets))],
        "covariances": [
            _covariance(posterior, block, x)
            for block, x in zip(posterior.blocks, scaled, strict=True)
        ],
        "sampler": {
            "steps": found.steps,
            "walkers": found.walkers,
            "autocorrelation_times": [
                float(x) if math.isfinite(x) else "none" for x in found.autocorrelation
            ],
            "converged": found.converged,
        },
        "best_number_density_h3_mpc3": float(density_at_best[0]),
        "best_satellite_fraction": float(share_at_best[0]),
    }
    if posterior.density is not None:
        numbers["number_density_h3_mpc3"] = {
            "value": posterior.density.value,
            "error": _density_error(posterior),
        }
    columns = {name: found.values[:, i] for i, name in enumerate(posterior.names)}
    return Fit(
        posterior.model,
        posterior.priors,
        columns | {"number_density": density, "satellite_fraction": share},
        found.log_density,
        {**posterior.fixed, **dict(zip(posterior.names, map(float, best), strict=True))},
        total,
        freedom,
        _p_value(posterior, raw, total, freedom),
        tuple(fitted),
        recipe,
        {**settings, **numbers},
    )


def _about(posterior: Posterior, number: int) -> dict[str, Any]:
    target, table = posterior.targets[number]
    return {
        "name": target.name,
        "statistic": target.statistic,
        "bins_fitted": len(target.value),
        **{key: x for key, x in table.bins.facts().items() if key not in ("version", "statistic")},
    }


def _covariance(posterior: Posterior, block: Block, chi_square: float) -> dict[str, Any]:
    known = block.number == KNOWN
    names = [posterior.targets[i][0].name for i in block.members]
    return {
        "names": [*names, *(["number density"] * block.with_density)],
        "numbers": len(block.value),
        "from": "stated, without error" if known else block.source,
        "number": "none" if known else block.number,
        "hartlap_factor": block.hartlap,
        "scaled_by": posterior.targets[block.members[0]][0].scaled_by if block.members else 1.0,
        "chi_square": chi_square,
    }


def _density_error(posterior: Posterior) -> float:
    (block,) = (one for one in posterior.blocks if one.with_density)
    return float(np.sqrt(block.matrix[-1, -1]))


def _p_value(posterior: Posterior, raw: list[float], total: float, freedom: int) -> float:
    """Return the probability of a larger chi-square.

    With one covariance from N mocks, and nothing else, the smallest r^T S^-1 r of a model with nu
    degrees of freedom follows Hotelling's distribution: times (N - nu) / (nu (N - 1)) it is F with
    nu and N - nu. Else the sum of all chi-squares is taken to be what it is for known covariances.
    """
    from scipy.special import chdtrc, fdtrc  # scipy.stats takes a second or two to import

    if len(raw) == 1:
        number = posterior.blocks[0].number
        if number != KNOWN and number > freedom + 1:
            ratio = raw[0] * (number - freedom) / (freedom * (number - 1))
            return float(fdtrc(freedom, number - freedom, ratio))
    return float(chdtrc(freedom, total))
