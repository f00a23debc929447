"""Subhalo abundance matching: stellar mass by the rank of a subhalo, with scatter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ...columns import GALAXY_COLUMNS, Column
from ...errors import DomainError, UsageError, warn
from ...laws.distribution import Distribution
from ...laws.mass_functions import (
    PUBLISHED,
    MassFunction,
    holds_at,
    mass_function,
    names_at,
    with_fraction,
)
from ...laws.normal import FARTHEST, PROBABILITY
from ...laws.scatter_matching import Matching, matching
from ...layout import COMPLETE_FROM, EMPTY_REGIONS, MISSING_CHUNKS, SEVERAL_RESOLUTIONS
from ...options import check_options, documented
from ...quantity import in_unit
from ...types import HaloCatalog, Scene
from .options import LEHMANN, PROXIES, SHAMOptions, check_given
from .proxies import Edge, check_proxy, edge_of, peak_definition, proxy_of, unit_of
from .ranks import descending

Array = NDArray[Any]

_KINDS = ("centrals", "satellites")
_FEW = 0.1  # share of galaxies that may have less scatter than was asked for
_SAID = 0.05  # share of them that is worth a warning
_PARTS = {  # what a snapshot's record says of a box that is not whole
    MISSING_CHUNKS: "chunks of it are missing",
    SEVERAL_RESOLUTIONS: "it is a zoom",
    EMPTY_REGIONS: "parts of the box are empty",
}


class _Group(NamedTuple):
    """Subhalos that are ranked together.

    Parameters
    ----------
    name : str
        "subhalos", "centrals" or "satellites".
    rows : ndarray of int
        Rows from the largest proxy down; those that are not resolved are left out.
    law : Matching
    """

    name: str
    rows: Array
    law: Matching


class _Ranked(NamedTuple):
    """What follows from the ranks of a box.

    Parameters
    ----------
    groups : list of _Group
    edge : Edge
    complete_from : float
        log10 of stellar mass [Msun/h].
    floor : float
        log10 of the least stellar mass [Msun/h].
    below : dict
        Counts of subhalos that are not resolved.
    """

    groups: list[_Group]
    edge: Edge
    complete_from: float
    floor: float
    below: dict[str, float]


@documented
@dataclass(frozen=True)
class SHAMPainter(SHAMOptions):
    """Paints by subhalo abundance matching."""

    _function: Any = field(default=None, init=False, repr=False, compare=False)
    _last: Any = field(default=None, init=False, repr=False, compare=False)

    name: ClassVar[str] = "sham"
    needs: ClassVar[frozenset[str]] = frozenset({"halos"})
    whole_box: ClassVar[bool] = True
    provides: ClassVar[tuple[Column, ...]] = (
        GALAXY_COLUMNS["stellar_mass"],
        GALAXY_COLUMNS["extrapolated"],
    )

    def __post_init__(self) -> None:
        check_options(self)
        check_given(self, self.name, ("proxy", "mass_function", "scatter"))
        if self.alpha is not None and self.proxy != "v_alpha":
            raise UsageError(
                "painter sham:alpha",
                f"an exponent for the proxy {self.proxy}",
                "an exponent for v_alpha alone",
                "give --proxy v_alpha, or leave --alpha out",
            )

    @property
    def references(self) -> tuple[str, ...]:
        """Sources of the method and of the mass function."""
        return (
            "Conroy, Wechsler & Kravtsov 2006, arXiv:astro-ph/0512234",
            "Behroozi, Conroy & Wechsler 2010, arXiv:1001.0015 (scatter)",
            *(["Lehmann et al. 2017, arXiv:1510.05651"] if self.proxy == "v_alpha" else []),
            self.function.reference,
        )

    @property
    def function(self) -> MassFunction:
        """The mass function, which is read once."""
        if self._function is None:
            function = mass_function(self.mass_function or "")
            if self.satellite_fraction is not None:
                function = with_fraction(function, self.satellite_fraction)
            object.__setattr__(self, "_function", function)
        return self._function  # type: ignore[no-any-return]

    @property
    def _proxy(self) -> str:
        return str(self.proxy)

    @property
    def _exponent(self) -> float:
        """The exponent of v_alpha."""
        return LEHMANN if self.alpha is None else float(self.alpha)

    @property
    def dex(self) -> float:
        """The scatter [dex]."""
        return in_unit("scatter", self.scatter or 0.0, "dex", 1.0)

    def mismatch(self, scene: Scene) -> list[str]:
        """Return the reasons why ranks in a simulation, or the function, are not valid."""
        snapshot, reasons = scene.snapshot, []
        record = {**snapshot.record, **scene.halos.record}
        (first, last), function = snapshot.redshifts, self.function
        if not (holds_at(function, first) and holds_at(function, last)):
            low, high = function.redshift
            reasons.append(
                f"redshift {snapshot.redshift:.4g} outside {low:.4g} to {high:.4g}, for which the "
                f"mass function {function.name} holds"
            )
        reasons += [text for key, text in _PARTS.items() if record.get(key)]
        if "stellar_mass" in scene.halos:
            reasons.append("the run is hydrodynamic, and ranks are those of gravity-only subhalos")
        return reasons

    def check(self, scene: Scene) -> list[str]:
        """Return the reasons why the painter is not valid for a simulation, if that is allowed.

        Raises
        ------
        DomainError
            There are reasons and ``allow_extrapolation`` is not set, or the volume is not known.
        MissingDatasetError
            The simulation lacks the proxy.
        """
        where = f"simulation {scene.snapshot.name}"
        if scene.snapshot.frame != "box":
            raise DomainError(
                where,
                "a light cone, whose volume is not stated",
                "a box, in which subhalos have a number density",
                "paint the snapshots, and make the light cone of the mocks: mockgal survey",
            )
        outside = self.mismatch(scene)
        if outside and not self.allow_extrapolation:
            raise DomainError(
                where,
                "; ".join(outside),
                f"a whole box that the mass function {self.function.name} holds for",
                self._ways_out(scene),
            )
        check_proxy(scene, self._proxy)
        return outside

    def _ways_out(self, scene: Scene) -> str:
        """Return what to do with a scene that is outside the function's redshifts, or in parts."""
        ways, redshift = [], scene.snapshot.redshift
        if not holds_at(self.function, redshift):
            names = names_at(redshift)
            if names:
                ways.append(f"--mass-function {' or '.join(names)}")
            ways.append("a table of your own for this redshift, --mass-function ./TABLE.txt")
        ways.append("--allow-extrapolation, which flags every galaxy")
        return "give " + ", or ".join(ways)

    def predict(self, scene: Scene) -> Distribution:
        """Predict luminous probability and law of log M* for each subhalo of ``scene``.

        Raises
        ------
        DomainError, MissingDatasetError
            See `check`.
        """
        outside = self.check(scene)
        halos, n = scene.halos, len(scene.halos)
        ranked = self._ranked(scene)
        self._say(scene, ranked)
        p, location = np.zeros(n), np.full(n, ranked.floor)
        row, beyond = np.zeros(n, dtype=np.int16), np.zeros(n, dtype=np.bool_)
        tables: list[Array] = []
        low, high = self._range(scene.snapshot.cosmology.h)
        low = low if ranked.floor < low else -math.inf
        for group in ranked.groups:
            law, rows = group.law, group.rows
            first = sum(map(len, tables))
            tables.append(law.quantiles())
            if not len(rows):
                continue
            mean = law.location((np.arange(len(rows)) + 0.5) / scene.snapshot.box_size**3)
            chance = _above(mean, law, ranked.floor)
            there = chance > 0
            rows, mean = rows[there], mean[there]
            p[rows], location[rows] = chance[there], mean
            step = law.log_mass[1] - law.log_mass[0]
            nearest = np.rint((mean - law.log_mass[0]) / step).astype(np.int64)
            row[rows] = first + np.clip(nearest, 0, len(law.log_mass) - 1)
            final = law.final(mean)
            beyond[rows] = (final > high) | (final < low)
        return Distribution(
            p_luminous=p,
            location=location,
            scale=np.broadcast_to(1.0, n),
            residual_row=row,
            residual_probability=PROBABILITY,
            residual_quantiles=np.vstack(tables),
            floor=ranked.floor,
            extrapolated=np.ones(n, dtype=np.bool_) if outside else beyond,
            record={
                **ranked.below,
                "not_painted_below_floor": n
                - int(np.count_nonzero(p))
                - int(ranked.below["not_painted_incomplete"]),
                "satellites_poorly_resolved": int(
                    np.count_nonzero(
                        (p > 0) & ~halos["is_central"] & (halos["mass"] < ranked.edge.mass)
                    )
                ),
            },
        )

    def describe(self, scene: Scene) -> dict[str, Any]:
        """Return what identifies the painter for this scene: JSON values only.

        Raises
        ------
        DomainError, MissingDatasetError
            See `check`, which spares the ranks of a scene that cannot be painted.
        """
        self.check(scene)
        ranked, function, h = self._ranked(scene), self.function, scene.snapshot.cosmology.h
        apart = len(ranked.groups) > 1
        fraction: Any = "from the table" if apart else "none: all are ranked together"
        laws = [group.law for group in ranked.groups]
        keeps = 10.0 ** min(law.keeps_scatter_to() for law in laws)
        floor, complete = 10.0**ranked.floor, 10.0**ranked.complete_from
        return {
            "name": self.name,
            "proxy": self.proxy,
            **(
                {"alpha": self._exponent, "peak_mass_definition": peak_definition(scene)}
                if self.proxy == "v_alpha"
                else {}
            ),
            "redshift": float(scene.snapshot.redshift),
            "scatter_dex": self.dex,
            "scatter_of": "log10 of stellar mass at a given proxy",
            **({"scatter_holds_to_msun_h": keeps} if math.isfinite(keeps) else {}),
            "mass_function": function.describe(),
            "imf": function.imf,
            "stellar_mass_scaling": f"M* in Msun/h = M* h_function^2 / h, with h_function = "
            f"{function.h:g} and h = {h:g}; densities in h^3/Mpc^3 = n / h_function^3",
            "satellite_fraction": fraction
            if self.satellite_fraction is None
            else self.satellite_fraction,
            "least_particles": int(self.least_particles),
            "resolved_mass_msun_h": _finite(ranked.edge.mass),
            "resolved_mass_from": ranked.edge.why,
            "complete_proxy_from": _finite(ranked.edge.proxy),
            "complete_proxy_unit": unit_of(self._proxy),
            "luminosity_floor_msun_h": floor,
            **({COMPLETE_FROM: complete} if complete > floor * (1 + 1e-9) else {}),
            "outside_domain": self.mismatch(scene),
            "allow_extrapolation": self.allow_extrapolation,
            "references": list(self.references),
        }

    def _ranked(self, scene: Scene) -> _Ranked:
        """Return the ranks of a scene: those of the last one are kept."""
        if self._last is None or self._last[0] is not scene.halos:
            object.__setattr__(self, "_last", (scene.halos, self._rank(scene)))
        return self._last[1]  # type: ignore[no-any-return]

    def _rank(self, scene: Scene) -> _Ranked:
        halos, snapshot = scene.halos, scene.snapshot
        h, volume = snapshot.cosmology.h, snapshot.box_size**3
        proxy = proxy_of(scene, self._proxy, self._exponent)
        edge = edge_of(scene, proxy, self._proxy, self.least_particles)
        resolved = (proxy >= edge.proxy) & (proxy > 0)
        apart = self.function.satellite_fraction is not None
        kinds = (halos["is_central"], ~halos["is_central"]) if apart else (None,)
        self._check_rows(scene, resolved, edge, apart)
        groups, complete = [], -math.inf
        for kind, chosen in enumerate(kinds):
            law = self._law(h, snapshot.redshift, kind if apart else None)
            rows = np.flatnonzero(resolved if chosen is None else resolved & chosen)
            rows = rows[descending(proxy[rows], halos["halo_id"][rows])]
            groups.append(_Group(_KINDS[kind] if apart else "subhalos", rows, law))
            if len(rows):
                complete = max(complete, law.complete_from(len(rows) / volume))
        complete = max(complete, self._lowest(h))
        floor = complete if self.floor is None else self._floor(h)
        if self.floor is None and complete > self._range(h)[1]:
            raise DomainError(
                f"simulation {snapshot.name}",
                f"subhalos that are resolved from {edge.mass:.4g} Msun/h on ({edge.why}), whose "
                f"galaxies are complete above {10**complete:.4g} Msun/h alone",
                f"completeness below {10 ** self._range(h)[1]:.4g} Msun/h, where the mass function "
                f"{self.function.name} ends",
                'give a --floor such as "1e10 Msun/h", above which galaxies will be missing, or '
                "take a simulation of finer particles",
            )
        below: dict[str, float] = {
            "not_painted_incomplete": int(np.count_nonzero(~resolved)),
            "not_painted_incomplete_satellites": int(
                np.count_nonzero(~resolved & ~halos["is_central"])
            ),
            "orphans_of_the_input": int(snapshot.record.get("orphans_of_the_model", 0)),
        }
        return _Ranked(groups, edge, complete, floor, below)

    def _check_rows(self, scene: Scene, resolved: Array, edge: Edge, apart: bool) -> None:
        """Raise if there is nobody to rank."""
        halos, where = scene.halos, f"simulation {scene.snapshot.name}"
        if len(halos) and not resolved.any():
            raise DomainError(
                where,
                f"no central of {edge.mass:.4g} Msun/h, the least mass that is resolved "
                f"({edge.why})",
                "subhalos that are resolved",
                "give a smaller --least-particles",
            )
        if apart and resolved.any() and halos["is_central"][resolved].all():
            raise DomainError(
                where,
                "no satellites that are resolved",
                "satellites, as centrals and satellites are ranked apart",
                "leave --satellite-fraction out, or take a table without that column",
            )

    def _range(self, h: float) -> tuple[float, float]:
        """Return the range of the mass function: log10 of stellar mass [Msun/h]."""
        low, high = (edge + self.function.shift(h) for edge in self.function.log_mass)
        return low, high

    def _lowest(self, h: float) -> float:
        """Return log10 of the least stellar mass that the function is asked for [Msun/h]."""
        low, _ = self._range(h)
        return low if self.floor is None else min(low, self._floor(h))

    def _floor(self, h: float) -> float:
        """Return log10 of the floor that the user gives [Msun/h]."""
        floor, low = (
            math.log10(in_unit("floor", self.floor or 0.0, "Msun / littleh", h)),
            self._range(h)[0],
        )
        if floor < low - 1e-9 and not self.allow_extrapolation:
            raise UsageError(
                "painter sham:floor",
                f"{10**floor:.4g} Msun/h",
                f"{10**low:.4g} Msun/h or more, where the mass function {self.function.name} "
                "begins",
                "raise --floor, take another --mass-function, or give --allow-extrapolation, "
                "which goes on with its slope and flags the galaxies",
            )
        return floor

    def _law(self, h: float, redshift: float, kind: int | None) -> Matching:
        function, low, high = self.function, self._lowest(h), self._range(h)[1]

        def density(log_mass: Array) -> Array:
            value = function.in_run(log_mass, redshift, h)
            if kind is None:
                return value
            share = function.fraction_in_run(log_mass, h)
            return value * (share if kind else 1.0 - np.asarray(share))

        law = matching(density, low, high, self.dex)
        if law.share_without_scatter() > _FEW:
            smaller = (k / 20 for k in reversed(range(math.ceil(self.dex * 20))))
            most = next(
                one
                for one in smaller
                if matching(density, low, high, one).share_without_scatter() <= _FEW
            )
            raise DomainError(
                "painter sham:scatter",
                f"{self.dex:g} dex: with so much scatter no law of stellar mass by rank gives the "
                f"mass function {function.name}, which is too steep above "
                f"{10 ** law.keeps_scatter_to():.3g} Msun/h",
                f"a scatter that nine tenths of the galaxies can have, here {most:g} dex",
                f'give --scatter "{most:g} dex" or less',
            )
        return law

    def _say(self, scene: Scene, ranked: _Ranked) -> None:
        """Warn of what makes ranks, and so stellar masses, doubtful."""
        halos: HaloCatalog = scene.halos
        if ranked.floor < ranked.complete_from - 1e-9:
            warn(
                f"abundance matching is complete above {10**ranked.complete_from:.4g} Msun/h: "
                f"below, galaxies of subhalos with {self.proxy} < {ranked.edge.proxy:.4g} "
                f"{unit_of(self._proxy)}, which the input does not resolve, are missing",
            )
        for group in ranked.groups:
            law = group.law
            if len(group.rows) and law.share_without_scatter(ranked.floor) > _SAID:
                warn(
                    f"the scatter of {group.name} is {self.dex:g} dex up to "
                    f"{10 ** law.keeps_scatter_to():.3g} Msun/h: the mass function is too steep "
                    "for it above, where it is smaller",
                )
        if len(halos) > 1 and halos["is_central"].all():
            warn(
                "the input has no satellites: galaxies that are satellites have been given to "
                "hosts, which are too light for them",
            )
        elif self.proxy in ("mass", "vmax") and "peak_mass" not in halos and len(halos):
            warn(
                f"ranked by {self.proxy} as it is now: satellites have lost some of it to "
                "stripping, so that fewer of them have galaxies than with a proxy at its peak",
            )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _above(mean: Array, law: Matching, floor: float) -> Array:
    """Return the probability that the final mass is above a floor; 0 far below it."""
    start = law.scattered(floor)
    if not law.scatter:
        return (mean >= start).astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = (mean - start) / law.scatter
    return np.where(apart > -FARTHEST, ndtr(apart), 0.0)


def _alternatives() -> Iterator[tuple[dict[str, Any], ...]]:
    """Yield options to try: of each tuple the first that can paint is enough."""
    for extrapolate in ({}, {"allow_extrapolation": True}):
        yield tuple(
            {"proxy": proxy, "mass_function": name, "scatter": "0.2 dex", **extrapolate}
            for proxy in PROXIES
            for name in PUBLISHED
        )


SHAMPainter.alternatives = _alternatives  # type: ignore[attr-defined]
