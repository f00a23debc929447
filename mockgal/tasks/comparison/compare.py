"""Compare mocks with the truth, and write the page: `mockgal compare`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import InputError, MockgalError, ResourceError, UsageError, warn
from ...options import check_names
from ...protocols import ReadOptions, spelled_out
from ...system.progress import advance, shown
from ...types import GalaxyCatalog, HaloCatalog, Scene

if TYPE_CHECKING:
    from ...reports.comparison.result import Comparison, Cost, Maps
    from ...reports.comparison.statistics import Wanted
    from ...statistics.result import Measurement
    from ..steps.truth import Truth
    from .inputs import Inputs

FilePath = str | os.PathLike[str]
Measured = dict[str, dict[str, "Measurement"]]

_BEYOND = 30.0  # h/Mpc: the bars of the power spectrum end here
_GRIDS = (256, 512)  # voxels along a side, by default: least and most
_REACH = (30.0, 40.0)  # Mpc/h: largest separations of xi and along the line of sight of w_p


@spelled_out
def compare(
    truth: FilePath | Scene | GalaxyCatalog | Truth,
    mocks: Mapping[str, FilePath | GalaxyCatalog],
    *,
    sim: FilePath | Scene | None = None,
    matter: FilePath | None = None,
    randoms: FilePath | GalaxyCatalog | None = None,
    out: FilePath | None = None,
    cuts: Sequence[str] = (),
    statistics: Iterable[str] = (),
    region: str | None = None,
    grid_size: int | None = None,
    jackknife: int = 3,
    subtract_shot_noise: bool = False,
    baselines: Iterable[str] = (),
    seed: int | None = None,
    baseline_calibration: FilePath | None = None,
    notes: Sequence[str] = (),
    allow_differences: bool = False,
    changed_by_hand: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> Comparison:
    """Compare mocks with the truth: statistics, verdicts, costs and maps; write them as a page.

    Light cones are compared with light cones: pictures of the sky in place of maps, n(z), and with
    randoms clustering on the sky.

    Parameters
    ----------
    truth : path-like, Scene, GalaxyCatalog or Truth
        A hydrodynamic run, whose stellar masses are the truth; a mock; or galaxies that belong to
        the subhalos of ``sim``.
    mocks : mapping of str to path-like or GalaxyCatalog
        Mocks by name. The cost of a mock comes from the record beside its file.
    sim : path-like or Scene, optional
        The gravity-only simulation that the mocks were painted on: for the maps of matter and
        subhalos, the numbers of hosts, and the second truth.
    matter : path-like, optional
        Its matter, in place of its own: particles or a density grid.
    randoms : path-like or GalaxyCatalog, optional
        For light cones: randoms of the survey that all of them are of.
    out : path-like, optional
        Folder for ``index.html``, ``figures`` and ``tables``. Nothing is written without it.
    cuts : sequence of str
        For truth and mocks alike, such as ``"stellar_mass > 1e9 Msun/h"``.
    statistics : iterable of str
        Keys of `mockgal.reports.comparison.statistics.KEYS`; by default all. With ``"pit"`` the
        painters of mocks predict again, which takes about as long as painting.
    region : str, optional
        Centre and side of the cube on the maps, such as ``"8 8 8 2.4 Mpc/h"``. By default 2.4 Mpc/h
        about the most massive host.
    grid_size : int, optional
        Voxels along each side for the power spectrum; by default as many as reach 30 h/Mpc, between
        256 and 512.
    jackknife : int
        Sub-volumes along each side of the box for the errors; 0 for computed errors. On the sky the
        jackknife is over the regions of the catalogues, unless this is 0.
    subtract_shot_noise : bool
        From power spectrum and bispectrum; it is stated in either case.
    baselines : iterable of str
        Painters to compare with, some of `mockgal.tasks.comparison.baselines.BASELINES`; they are
        painted on ``sim``. ``"features-only"`` needs a truth that is its hydrodynamic twin.
    seed : int, optional
        Of the baselines, which need one.
    baseline_calibration : path-like, optional
        Calibration of ``"vmax-hod"``: a name or a file; by default the one that comes with mockgal
        and is valid for ``sim``.
    notes : sequence of str
        What a reader of the page has to know.
    allow_differences : bool
        Compare catalogues of different samples, boxes, redshifts, cosmologies or definitions.
        Their differences are stated.
    changed_by_hand : str, optional
        For mocks: see `mockgal.read_galaxies`.
    overwrite : bool
        Replace the folder, if it holds a page of this kind.
    progress : callable, optional
        Called with (done, total, what).
    **options
        For reading truth and simulation: see `mockgal.read`.

    Returns
    -------
    Comparison
        ``.measurements["cnn"]["power"]``, ``.verdicts``, ``.costs``, ``.notes``, ...

    Raises
    ------
    UsageError
        The catalogues differ in more than their galaxies, or an option is not allowed.
    OutputExistsError, OutputError
        The folder exists, or cannot be written.
    MockgalError
        An input cannot be read, or nothing can be measured.

    Warns
    -----
    MockgalWarning
        A statistic was not measured; the page says so, and why.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> found = mockgal.compare(
    ...     "catalogs/demo/hydro.hdf5", {"hod": mock}, sim=sim,
    ...     cuts=["stellar_mass > 8e9 Msun/h"], statistics=["mass_function"],
    ... )
    >>> found.verdicts[0].verdict
    'no power'
    """
    from ...reports.comparison.result import Comparison
    from ...reports.comparison.verdicts import MATCHED, TRUTH, verdicts
    from ...reports.page.files import check_report, write_report
    from .baselines import Request
    from .inputs import learnt_here, read_inputs

    check_names("compare", options, ("format", *ReadOptions._fields))
    beside = {"matter": matter, "changed_by_hand": changed_by_hand}
    options |= {name: value for name, value in beside.items() if value is not None}
    keys = _known(statistics)
    request = Request(tuple(dict.fromkeys(baselines)), seed, baseline_calibration)
    if out is not None:
        given = [
            one
            for one in (getattr(truth, "table", truth), sim, randoms, *mocks.values())
            if isinstance(one, str | os.PathLike)
        ]
        check_report(Path(out), overwrite=overwrite, inputs=[Path(one) for one in given])
    with shown(progress):
        inputs = read_inputs(
            truth,
            mocks,
            sim,
            cuts=cuts,
            allow_differences=allow_differences,
            options=options,
            baselines=request,
            randoms=randoms,
        )
        own: dict[str, Any] = {"jackknife": jackknife, "grid_size": grid_size}
        own["subtract_shot_noise"] = subtract_shot_noise or None
        take = _in_light_cones if inputs.on_the_sky else _in_boxes
        numbers = take(inputs, keys, own, region)
        names = [name for name in inputs.catalogues if name not in (TRUTH, MATCHED)]
        mocks_only = {name: inputs.catalogues[name] for name in names}
        comparison = Comparison(
            catalogues=inputs.catalogues,
            sources=inputs.sources,
            measurements=numbers.measured,
            verdicts=verdicts(numbers.measured, numbers.without_law),
            costs=_costs(inputs, mocks),
            maps=numbers.maps,
            notes=(*notes, *learnt_here(mocks_only), *inputs.notes),
            not_measured=numbers.not_measured,
            without_law=numbers.without_law,
            title=f"{', '.join(names)} beside {inputs.catalogues[TRUTH].snapshot.name}",
            randoms=inputs.randoms,
        )
        if out is None:
            return comparison
        wrote = write_report(comparison, Path(out), overwrite=overwrite, inputs=inputs.files)
    return replace(comparison, wrote=wrote)


class Numbers(NamedTuple):
    """What is measured, why the rest is not, and what is drawn of the box."""

    measured: Measured
    not_measured: dict[str, str]
    without_law: dict[str, str]
    maps: Maps | None


def _known(names: Iterable[str]) -> list[str]:
    """Return keys of statistics.

    Raises
    ------
    UsageError
        A key is unknown.
    """
    from ...reports.comparison.statistics import KEYS

    keys = list(names)
    for name in keys:
        if name not in KEYS:
            raise UsageError(
                "--statistic", repr(name), "one of " + ", ".join(KEYS), "leave it out for all"
            )
    return keys


def _in_boxes(
    inputs: Inputs, keys: Sequence[str], options: Mapping[str, Any], region: str | None
) -> Numbers:
    """Measure and map galaxies in periodic boxes; without keys all that is known of them.

    Raises
    ------
    UsageError
        A statistic is one of light cones, or the region is not allowed.
    MockgalError
        None was measured.
    """
    from ...reports.comparison.statistics import BOX_KEYS, PIT_KEY, WANTED
    from ...reports.comparison.verdicts import MATCHED, TRUTH
    from .laws import calibrations
    from .region import maps_of, region_of

    catalogues = inputs.catalogues
    on_the_sky = [key for key in keys if key not in BOX_KEYS]
    if on_the_sky:
        raise UsageError(
            f"--statistic {','.join(on_the_sky)}",
            "periodic boxes",
            "one of " + ", ".join(BOX_KEYS),
            "leave it out, or compare light cones",
        )
    area = region_of(region, catalogues[TRUTH].snapshot, inputs.halos, catalogues[TRUTH])
    sizes = {name: galaxies.snapshot.box_size for name, galaxies in catalogues.items()}

    def one(name: str, wanted: Wanted) -> Measurement:
        own = _options(wanted, sizes, sizes[name], options)
        result = _one(catalogues[name], inputs.hosts[name], wanted, own)
        # Sub-volumes of truth and mock are not those of one ratio in boxes of different sizes.
        return result if _equal(sizes) else replace(result, left_out={})

    chosen = keys or BOX_KEYS
    wanted = [each for each in WANTED if each.key in chosen]
    measured, not_measured = _measure(catalogues, wanted, one)
    names = [name for name in catalogues if name not in (TRUTH, MATCHED)]
    laws, without_law = calibrations(inputs, names) if PIT_KEY in chosen else ({}, {})
    for name, result in laws.items():
        measured[name][PIT_KEY] = result
    maps = maps_of(area, inputs.sim, inputs.halos, catalogues)
    return Numbers(measured, not_measured, dict(without_law), maps)


def _in_light_cones(
    inputs: Inputs, keys: Sequence[str], options: Mapping[str, Any], region: str | None
) -> Numbers:
    """Measure galaxies on the sky; without keys all that the randoms allow.

    Raises
    ------
    UsageError
        A statistic or an option is one of periodic boxes, or there are no randoms for it.
    MockgalError
        None was measured.
    """
    from .sky import measurer, refuse_what_boxes_have, wanted_on_the_sky

    refuse_what_boxes_have(
        {
            "--region": region,
            "--grid": options["grid_size"],
            "--subtract-shot-noise": options["subtract_shot_noise"],
        }
    )
    wanted = wanted_on_the_sky(keys, with_randoms=inputs.randoms is not None)
    one = measurer(inputs.catalogues, inputs.randoms, options["jackknife"])
    return Numbers(*_measure(inputs.catalogues, wanted, one), {}, None)


def _costs(inputs: Inputs, mocks: Mapping[str, Any]) -> dict[str, Cost]:
    """Return the cost of the truth, which no file of a run states, and of each mock."""
    from ...reports.comparison.result import Cost
    from ...reports.comparison.verdicts import TRUTH
    from .costs import cost_of

    nothing = Cost(because="the files that were read do not state it")
    costs = {name: cost_of(mock, inputs.catalogues[name]) for name, mock in mocks.items()}
    return {TRUTH: nothing, **costs} | {n: one.cost for n, one in inputs.baselines.items()}


def _measure(
    catalogues: Mapping[str, GalaxyCatalog],
    wanted: Sequence[Wanted],
    one: Callable[[str, Wanted], Measurement],
) -> tuple[Measured, dict[str, str]]:
    """Measure each statistic of each catalogue in the same way.

    Parameters
    ----------
    catalogues : mapping of str to GalaxyCatalog
    wanted : sequence of Wanted
    one : callable
        Measures a statistic of the catalogue of a name.

    Returns
    -------
    dict of str to dict of str to Measurement
        By catalogue and key.
    dict of str to str
        Why a statistic was not measured.

    Raises
    ------
    MockgalError
        None was measured: the first reason.
    """
    measured: Measured = {name: {} for name in catalogues}
    refused: dict[str, MockgalError] = {}
    done, total = 0, len(wanted) * len(catalogues)
    for each in wanted:
        results: dict[str, Measurement] = {}
        for name in catalogues:
            advance(done, total, "statistics")
            done += 1
            if each.key in refused:
                continue
            try:
                results[name] = one(name, each)
            except (UsageError, InputError, ResourceError) as error:
                refused[each.key] = error
        if each.key not in refused:
            for name, result in results.items():
                measured[name][each.key] = result
    advance(total, total, "statistics")
    if refused and len(refused) == len(wanted):
        raise next(iter(refused.values()))
    reasons = {key: str(error) for key, error in refused.items()}
    for key, text in reasons.items():
        warn(f"{key} was not measured: {text}")
    return measured, reasons


def _one(
    galaxies: GalaxyCatalog, hosts: HaloCatalog | None, wanted: Wanted, options: Mapping[str, Any]
) -> Measurement:
    """Return one statistic of one catalogue; at rest, it is in real space and says so."""
    from ...statistics.names import measure

    if not wanted.at_rest:
        return measure(galaxies, wanted.statistic, hosts=hosts, **options)
    still = {f"velocity_{x}": np.zeros_like(galaxies[f"velocity_{x}"]) for x in "xyz"}
    moved = replace(galaxies, columns={**galaxies.columns, **still})
    result = measure(moved, wanted.statistic, hosts=hosts, **options)
    return replace(result, settings={**result.settings, "space": "real"})


def _options(
    wanted: Wanted, sizes: Mapping[str, float], size: float, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of a statistic, such that all catalogues have the same bins.

    Parameters
    ----------
    wanted : Wanted
    sizes : mapping of str to float
        Sides of all boxes [Mpc/h].
    size : float
        That of this catalogue.
    given : mapping
        ``jackknife``, ``subtract_shot_noise``, ``grid_size``.

    Raises
    ------
    UsageError
        The statistic needs boxes of one size.
    """
    options: dict[str, Any] = {**wanted.options, "jackknife": given["jackknife"]}
    smallest, equal = min(sizes.values()), _equal(sizes)
    of_field = wanted.statistic in ("power", "bispectrum")
    if of_field:
        options["subtract_shot_noise"] = bool(given["subtract_shot_noise"])
    if wanted.statistic == "power":
        grids = {own: given["grid_size"] or _grid(own) for own in sizes.values()}
        options["grid_size"] = grids[size]
        if not equal:
            options["k_min"] = 2.0 * math.pi / smallest
            options["k_max"] = min(math.pi * n / own for own, n in grids.items())
    if equal:
        return options
    if wanted.statistic == "pdf":
        raise UsageError("pdf", "boxes of different sizes", "equal voxels", "leave it out")
    if wanted.statistic == "bispectrum":
        options["shell_width"] = 2.0 * math.pi / smallest
    if wanted.statistic in ("xi", "wp"):
        options["r_max"] = min(smallest / 4.0, _REACH[0])
    if wanted.statistic == "wp":
        options["pi_max"] = min(smallest / 4.0, _REACH[1])
    return options


def _equal(sizes: Mapping[str, float]) -> bool:
    return bool(np.ptp(list(sizes.values())) <= 1e-6 * max(sizes.values()))


def _grid(size: float) -> int:
    """Return the voxels along a side whose Nyquist wavenumber reaches the bars, within limits."""
    needed = 2 ** math.ceil(math.log2(_BEYOND * size / math.pi))
    return int(min(max(needed, _GRIDS[0]), _GRIDS[1]))
