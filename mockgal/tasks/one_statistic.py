"""Measure one statistic of a catalogue, by its name; read and plot stored results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, warn
from ..protocols import takes
from ..types import Cosmology, GalaxyCatalog, HaloCatalog, Scene

if TYPE_CHECKING:
    from ..statistics.covariance import Covariance
    from ..statistics.result import Measurement


@takes(GalaxyCatalog)
def measure(
    galaxies: GalaxyCatalog,
    statistic: str,
    *,
    hosts: HaloCatalog | None = None,
    cross: GalaxyCatalog | Scene | None = None,
    randoms: GalaxyCatalog | None = None,
    grid_size: int | None = None,
    assignment: str | None = None,
    interlacing: bool | None = None,
    weight: str | None = None,
    line_of_sight: str | None = None,
    subtract_shot_noise: bool | None = None,
    k_min: float | str | None = None,
    k_max: float | str | None = None,
    k_width: float | str | None = None,
    log_k_width: float | str | None = None,
    k1: float | str | None = None,
    k2: float | str | None = None,
    angles: int | None = None,
    shell_width: float | str | None = None,
    bin_width: float | str | None = None,
    r_min: float | str | None = None,
    r_max: float | str | None = None,
    bins: int | None = None,
    pi_max: float | str | None = None,
    mu_bins: int | None = None,
    jackknife: int | None = None,
    theta_min: float | str | None = None,
    theta_max: float | str | None = None,
    spacing: str | None = None,
    weigh_by: str | None = None,
    redshifts: str | None = None,
    fiducial_cosmology: Cosmology | str | None = None,
    random_parts: int | None = None,
    padding: float | None = None,
    **plugin_options: Any,
) -> Measurement:
    """Return a statistic of a catalogue, with its errors and settings.

    Each statistic takes some of the options and refuses the others; None means its default
    (docs/reference/statistics.md). Where a unit is stated, a text with another unit is accepted,
    such as ``"3 h/Mpc"`` or ``"30 Mpc"``.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    statistic : str
        power, bispectrum, pdf, mass_function, stellar_to_halo, occupation, satellite_fraction, xi,
        wp or xi_multipoles; of two samples cross_power, cross_xi or cross_wp; on the sky w_theta,
        sky_wp, sky_xi_multipoles, sky_xi_wedges, sky_power or sky_window.
    hosts : HaloCatalog, optional
        The simulation's halos (``sim.halos``), for the occupation of hosts.
    cross : GalaxyCatalog or Scene, optional
        For statistics of two samples: the second one; for cross_power also a simulation, whose
        matter it then is.
    randoms : GalaxyCatalog, optional
        For statistics on the sky: points at random in the same survey.
    grid_size : int, optional
        For powers, bispectrum, pdf: voxels along each side.
    assignment : str, optional
        For powers, bispectrum, pdf: mass assignment, NGP, CIC, TSC or PCS.
    interlacing : bool, optional
        For powers, bispectrum: remove aliases with a second grid, half a voxel apart.
    weight : str, optional
        For power, cross_power, bispectrum: weight of a galaxy, ``"stellar_mass"``, or ``"number"``
        for 1 each.
    line_of_sight : str, optional
        Axis x, y or z along which velocities move galaxies to redshift space.
    subtract_shot_noise : bool, optional
        For powers, bispectrum.
    k_min, k_max : float or str, optional
        For powers: edges of the first and the last bin [h/Mpc].
    k_width, log_k_width : float or str, optional
        For powers: width of the bins of wavenumber [h/Mpc], or of its logarithm [dex].
    k1, k2 : float or str, optional
        For bispectrum: sides of the triangles [h/Mpc].
    angles : int, optional
        For bispectrum: number of angles between k1 and k2.
    shell_width : float or str, optional
        For bispectrum: width of the shells of wavenumbers [h/Mpc].
    bin_width : float or str, optional
        For statistics in bins of mass [dex].
    r_min, r_max : float or str, optional
        For correlation functions, sky_window: least and largest separation [Mpc/h].
    bins : int, optional
        For correlation functions, sky_window: number of bins of separation.
    pi_max : float or str, optional
        For wp, cross_wp, sky_wp: largest separation along the line of sight [Mpc/h].
    mu_bins : int, optional
        For multipoles, wedges, sky_window: number of bins of the cosine to the line of sight.
    jackknife : int, optional
        Sub-volumes along each side of the box, or on the sky the number of regions, that are left
        out in turn for the errors; 0 for computed errors.
    theta_min, theta_max : float or str, optional
        For w_theta: least and largest angle [deg].
    spacing : str, optional
        On the sky: bins equal in the logarithm, ``"log"``, or ``"linear"``.
    weigh_by : str, optional
        For correlation functions, sky_power, sky_window: columns whose product weighs galaxies, on
        the sky randoms too, such as ``"weight,weight_fkp"``, which is the default there, of those
        that there are; or ``"none"``, the default in a box.
    redshifts : str, optional
        On the sky: column of the redshifts that become distances.
    fiducial_cosmology : Cosmology or str, optional
        On the sky: cosmology of the distances, such as ``"omega_m=0.31"``; by default that of the
        galaxies.
    random_parts : int, optional
        On the sky: parts of the randoms within which pairs of them are counted.
    padding : float, optional
        For sky_power: side of the grid over the extent of the survey.
    **plugin_options
        Options of a statistic that another distribution adds.

    Returns
    -------
    Measurement
        It saves and plots itself: ``.save("power.ecsv")``, ``.plot()``.

    Raises
    ------
    UsageError
        There is no such statistic or option, or the statistic does not take the value.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> found = mockgal.measure(mock, "mass_function", bin_width="0.5 dex")
    >>> found.estimates, found.fields["mass_function"].unit
    (('mass_function',), 'littleh3 / (Mpc3 dex)')
    >>> axes = found.plot(label="HOD")
    """
    arguments = locals()
    from ..statistics.names import measure as measure_one

    options = {name: arguments[name] for name in STATISTIC_OPTIONS if arguments[name] is not None}
    return measure_one(
        galaxies,
        statistic,
        hosts=hosts,
        cross=cross,
        randoms=randoms,
        **options,
        **plugin_options,
    )


# The options of the built-in statistics.
STATISTIC_OPTIONS = tuple(
    name
    for name, option in signature(measure).parameters.items()
    if option.kind is option.KEYWORD_ONLY and name not in ("hosts", "cross", "randoms")
)


def read_randoms(
    path: str | os.PathLike[str], cuts: Sequence[str], **options: Any
) -> GalaxyCatalog:
    """Return the randoms at a path, after the cuts on columns of a survey.

    Cuts on other columns, such as the stellar mass, are for galaxies alone. A cut on the measured
    redshift is one on the redshift of randoms without errors.

    Parameters
    ----------
    path : path-like
    cuts : sequence of str
    **options
        See `mockgal.read_galaxies`.

    Raises
    ------
    MockgalError
        The file is no catalogue of mockgal, or a cut is not one.
    """
    from .build import read_galaxies

    return cut_randoms(read_galaxies(path, **options), cuts)


def cut_randoms(randoms: GalaxyCatalog, cuts: Sequence[str]) -> GalaxyCatalog:
    """Return randoms after the cuts on columns of a survey: see `read_randoms`."""
    from ..columns import SURVEY_COLUMNS
    from ..selection.cuts import parse
    from .build import select

    kept = []
    for text in cuts:
        cut = parse(text, randoms.declared)
        name = cut.column.name
        if cut.of and name in SURVEY_COLUMNS:
            raise UsageError(
                f'cut "{text}"',
                f"a {cut.of} among galaxies, beside randoms, which have other ranks",
                f"a cut on {name} itself",
                "state the value down to which the galaxies are",
            )
        if name == "redshift_measured" and name not in randoms:
            name, text = "redshift", text.replace(name, "redshift")
        if name in SURVEY_COLUMNS and name in randoms:
            kept.append(text)
    return select(randoms, *kept)


def read_measurement(path: str | os.PathLike[str]) -> Measurement:
    """Return a result that `Measurement.save` or `mockgal measure` wrote.

    Parameters
    ----------
    path : path-like
        The table, ``.ecsv``.

    Returns
    -------
    Measurement
        With the numbers, settings and style that were saved.

    Raises
    ------
    MockgalError
        The file is damaged, or no measurement of mockgal.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> mockgal.measure(mock, "satellite_fraction").save("satellites.ecsv")
    >>> mockgal.read_measurement("satellites.ecsv").statistic
    'satellite_fraction'
    """
    from ..statistics.stored import read as read_result

    return read_result(Path(path))


def combine(results: Sequence[Measurement]) -> Measurement:
    """Return the mean of one statistic over several mocks, with the scatter of one as its error.

    Parameters
    ----------
    results : sequence of Measurement
        At least two, with the same options.

    Returns
    -------
    Measurement
        In the bins that all of them have. For each estimate its mean; ``<estimate>_error``, the
        standard deviation of one mock; ``<estimate>_error_of_the_mean``; and
        ``<estimate>_error_of_one_mock``, the root mean square of the errors that each mock states
        of itself, such as the jackknife's. ``realisations`` has the numbers of each mock, from
        which ``covariance()`` is.

    Raises
    ------
    UsageError
        There are fewer than two; or they are of several statistics, or differ in their settings or
        bins.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mocks = [mockgal.paint(sim, "hod", seed=seed) for seed in range(1, 11)]
    >>> found = mockgal.combine([mockgal.measure(mock, "wp") for mock in mocks])
    >>> found.covariance().matrix.shape == (len(found), len(found))
    True
    """
    from ..statistics.ensemble import combine as combine_results

    return combine_results(results)


def read_covariance(path: str | os.PathLike[str]) -> Covariance:
    """Return a covariance that `Covariance.save` or `mockgal measure` wrote.

    Parameters
    ----------
    path : path-like
        The table, ``.ecsv``.

    Returns
    -------
    Covariance

    Raises
    ------
    MockgalError
        The file is damaged, or no covariance of mockgal.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> found = mockgal.measure(mockgal.paint(sim, "hod", seed=1), "wp", jackknife=3)
    >>> found.covariance().save("wp-covariance.ecsv")
    >>> mockgal.read_covariance("wp-covariance.ecsv").number
    27
    """
    from ..statistics.covariance import read_covariance as read_matrix

    return read_matrix(Path(path))


def plot_measurements(
    paths: Sequence[str],
    out: str | os.PathLike[str],
    *,
    labels: Sequence[str] = (),
    overwrite: bool = False,
) -> dict[str, Measurement]:
    """Draw tables of one statistic together, with their ratios to the first.

    Parameters
    ----------
    paths : sequence of str
        Tables, ``.ecsv``, that `Measurement.save` or `mockgal measure` wrote.
    out : path-like
        Picture: .png, .pdf or .svg.
    labels : sequence of str
        Names of the results; by default the ends of their paths.
    overwrite : bool

    Returns
    -------
    dict of str to Measurement
        The results that were drawn, by label.

    Raises
    ------
    UsageError
        The results cannot be compared (`mockgal.reports.overlay.check_alike`), some paths are not
        tables, or the labels do not match the paths.

    Warns
    -----
    MockgalWarning
        The samples differ, in a box and on the sky, in cuts or in density
        (`mockgal.reports.overlay.unlike`). The picture says so below its panels.
    """
    from ..reports.figures import check_extension, save_figure
    from ..reports.names import names_of
    from ..reports.overlay import overlay, unlike
    from ..statistics.stored import read as read_result
    from ..system.files.atomic import check_output

    names = names_of(paths, labels)
    check_extension(Path(out))
    check_output(Path(out), overwrite, [Path(path) for path in paths])
    results = {name: read_result(Path(path)) for name, path in zip(names, paths, strict=True)}
    figure = overlay(results)
    if differences := unlike(results):
        warn(f"the samples differ: {'; '.join(differences)}")
    save_figure(figure, Path(out), overwrite=overwrite)
    return results
