"""Columns and header of an HOD calibration table.

Masses are log10 of Msun/h. docs/reference/hod-calibration.md is generated from this module.
"""

from __future__ import annotations

from collections.abc import Collection

from ...types import MASS_DEFINITIONS

KINDS = ("central", "satellite")
BINNED_BY = {  # masses that the rows of a kind may be binned by
    "central": {"host": "mass of the host halo", "bound": "the central's own bound mass"},
    "satellite": {"host": "mass of the host halo"},
}

# name: (unit, meaning); vectors are one fixed length per table.
COLUMNS: dict[str, tuple[str, str]] = {
    "kind": ("", "central or satellite"),
    "log_mass_low": ("dex", "lower edge of the bin of mass on the hydro scale, see `binned_by`"),
    "log_mass_high": ("dex", "upper edge of the bin"),
    "hosts_hydro": ("", "hosts with a resolved central, hydro run"),
    "hosts_dark": ("", "hosts with a resolved central, gravity-only run, by corrected mass"),
    "log_mean_mass": (
        "dex",
        "log10 of the mean mass of these hosts, as in `binned_by` (gravity-only ones and as in the "
        "catalogue where there is a twin) [Msun/h]; NaN without hosts",
    ),
    "subhalos_hydro": ("", "resolved subhalos of this kind, hydro run"),
    "subhalos_dark": ("", "resolved subhalos of this kind, gravity-only run"),
    "luminous_hydro": ("", "subhalos of this kind above the luminosity floor, hydro run"),
    "number_hydro_mean": ("", "luminous subhalos of this kind per host, hydro run: mean"),
    "number_hydro_variance": ("", "the same: variance"),
    "resolved_hydro_mean": ("", "resolved subhalos of this kind per host, hydro run: mean"),
    "resolved_hydro_variance": ("", "the same: variance"),
    "number_dark_mean": ("", "resolved subhalos of this kind per host, gravity-only run: mean"),
    "number_dark_variance": ("", "the same: variance"),
    "curve_log_mass": ("dex", "node of the median curve: mass as in `binned_by` [log10 Msun/h]"),
    "curve_log_stellar_mass": ("dex", "node of the median curve: stellar mass [log10 Msun/h]"),
    "residual_source": ("", "bin, or pooled where the bin has too few luminous subhalos"),
    "residual_quantiles": ("dex", "quantiles of log M* minus the median curve"),
    "stellar_mass_quantiles": (
        "dex",
        "quantiles of log M* of the luminous subhalos of the bin [log10 Msun/h], trend included: "
        "for the paper's own form",
    ),
    "luminous_log_mass": (
        "dex",
        "nodes of mass on the hydro scale: as in `binned_by` for centrals, own for satellites",
    ),
    "luminous_probability": ("", "luminous probability at those nodes, hydro run"),
    "thinning": ("", "factor on the probability that gives the hydro run's mean number"),
    "deficit": ("", "share of that number which the gravity-only subhalos are too few for"),
    "paper_factor": (
        "",
        "factor on the stellar masses of satellites in the paper's own form: (resolved satellites "
        "per host, hydro / gravity-only, hosts binned by their own masses) times (luminous in the "
        "hydro run / resolved in the gravity-only run); 1 for centrals",
    ),
    "ratio_log_host_mass": ("dex", "node of the host-mass ratio: gravity-only mass [log10 Msun/h]"),
    "log_host_mass_ratio": ("dex", "log10 (M_hydro / M_dark) at that node"),
    "satellite_source": ("", "bin, or pooled where the bin has too few satellites, or none"),
    "satellite_log_mass_ratio": (
        "",
        "quantiles of log10 (satellite's bound mass / its host's mass) over log10 (its host's mass "
        "/ least resolved mass), as in the catalogue: -1 at the resolution, 0 for a satellite as "
        "heavy as its host or heavier",
    ),
    "satellite_place_source": (
        "",
        "bin, or pooled where the bin has too few luminous ones, or none",
    ),
    "satellite_radius": (
        "",
        "quantiles of a luminous satellite's distance over its host's radius, hydro run",
    ),
    "satellite_dispersion_index": (
        "",
        "mean squared deviation of the number of resolved satellites per host from the law of "
        "their mean number, over that mean: 1 for a Poisson number",
    ),
    "satellite_velocity_dispersion": (
        "",
        "one-dimensional dispersion of luminous satellites' velocities relative to their central, "
        "over the host's circular velocity at its radius, hydro run",
    ),
}
WITH_ERROR = (  # each has a jackknife error in the column NAME_error, if the table has errors
    "number_hydro_mean",
    "number_dark_mean",
    "curve_log_stellar_mass",
    "residual_quantiles",
    "luminous_probability",
    "thinning",
    "log_host_mass_ratio",
)
COLUMNS |= {
    f"{name}_error": (COLUMNS[name][0], f"jackknife error of `{name}`; NaN where there is none")
    for name in WITH_ERROR
}
VECTORS = tuple(
    name
    for name in COLUMNS
    if "quantiles" in name
    or name.startswith("luminous_probability")
    or name in ("luminous_log_mass", "satellite_log_mass_ratio", "satellite_radius")
)
TEXT = ("kind", "residual_source", "satellite_source", "satellite_place_source")
CURVE = ("curve_log_mass", "curve_log_stellar_mass")  # NaN where a bin has no node
RATIO = ("ratio_log_host_mass", "log_host_mass_ratio")  # NaN likewise
TWIN = (  # what a table made without a gravity-only twin lacks: all of these
    "hosts_dark",
    "subhalos_dark",
    "number_dark_mean",
    "number_dark_variance",
    "thinning",
    "deficit",
    "paper_factor",
    *RATIO,
)
SATELLITES = (  # for hosts without subhalos: all of these, or none
    "satellite_source",
    "satellite_log_mass_ratio",
    "satellite_place_source",
    "satellite_radius",
    "satellite_dispersion_index",
    "satellite_velocity_dispersion",
)
ERRORS = tuple(f"{name}_error" for name in WITH_ERROR)  # all of these, or none
OF_TWIN = (*TWIN, *(f"{name}_error" for name in TWIN if name in WITH_ERROR))
MAY_BE_NAN = (*CURVE, *RATIO, *ERRORS, "log_mean_mass")


def expected(present: Collection[str]) -> list[str]:
    """Return the columns that a table must have, if it has those ``present``."""
    groups = ((OF_TWIN, TWIN), (SATELLITES, SATELLITES), (ERRORS, ERRORS))
    absent = {
        name
        for group, told_by in groups
        if not any(column in present for column in told_by)
        for name in group
    }
    return [name for name in COLUMNS if name not in absent]


META: dict[str, tuple[type, str]] = {
    "name": (str, "name of the table"),
    "binned_by": (
        dict,
        "mass that the rows are binned by, for `central` (`host` or `bound`: the mass of the host "
        "halo, or the central's own bound mass) and for `satellite` (`host`)",
    ),
    "mass_definition": (str, "definition of host masses: " + ", ".join(MASS_DEFINITIONS)),
    "stellar_mass_definition": (str, "which stars are counted"),
    "luminosity_floor": (float, "lowest stellar mass that counts as luminous [Msun/h]"),
    "least_particles": (int, "fewest gravity-only particles of a painted subhalo"),
    "particle_mass": (
        float,
        "particle mass of the gravity-only run or, without a twin, of a gravity-only run with as "
        "many particles [Msun/h]",
    ),
    "residual_probability": (list, "probabilities of `residual_quantiles`"),
    "domain": (
        dict,
        "range of validity: [low, high] of redshift, particle_mass [Msun/h], omega_m, h",
    ),
    "provenance": (
        dict,
        "runs and digests of their catalogues, methods, `references`, `summary`, and "
        "a `caution` that is shown whenever the table is used",
    ),
}
