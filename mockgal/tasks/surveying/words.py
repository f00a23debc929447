"""What the steps of a survey did, in words, from their records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_Words = tuple[str, list[str]]
_BINS = 12  # of n(z) that are listed


def in_words(steps: Iterable[Mapping[str, Any]]) -> Iterator[_Words]:
    """Yield a title and lines for each step.

    Parameters
    ----------
    steps : iterable of mapping
        ``provenance["survey"]`` of a catalogue.
    """
    for step in steps:
        try:
            yield _IN_WORDS.get(str(step.get("step")), _other)(step)
        except (KeyError, TypeError, ValueError):  # of a file that others wrote
            yield _other(step)


def _redshift_space(step: Mapping[str, Any]) -> _Words:
    axis = step["line_of_sight"]
    return "rsd", [f"position_{axis}_rsd: positions in redshift space along {axis}"]


def _light_cone(step: Mapping[str, Any]) -> _Words:
    (low, high), shells = step["redshifts"], step["snapshots"]
    place = ", ".join(f"{x:g}" for x in step["observer_mpc_h"])
    copies = sum(shell["copies"] for shell in shells)
    texts = [
        f"{step['galaxies_in_boxes']:,} -> {step['galaxies']:,} galaxies in {copies:,} copies of "
        f"{'the box' if len(shells) == 1 else f'{len(shells)} boxes'}, redshift {low:.4g} to "
        f"{high:.4g}, observer at ({place}) Mpc/h"
    ]
    if made := step.get("remapping"):
        sides = " x ".join(f"{x:.5g}" for x in made["sides_mpc_h"])
        ra, dec = made["towards_deg"]
        texts.append(
            f"remapped to a cuboid of {sides} Mpc/h towards ra {ra:.4g}, dec {dec:.4g} deg, by "
            + ", ".join(f"({a} {b} {c})" for a, b, c in made["vectors"])
        )
    if repeats := step["seen_more_than_once"]:
        texts.append(f"{repeats:,} of them are repeats: galaxies seen more than once")
    if share := step.get("volume_seen_before"):
        texts.append(f"{share:.1%} of the volume is a place of the box that is there before")
    if step["columns_left_out"]:
        left_out = ", ".join(step["columns_left_out"])
        texts.append(f"left out, of one line of sight or not in all snapshots: {left_out}")
    for shell in shells if len(shells) > 1 else ():
        start, stop = shell["distance_mpc_h"]
        near, far = shell["serves_redshifts"]
        texts.append(
            f"snapshot z = {shell['redshift']:.4g}: {start:.5g} to {stop:.5g} Mpc/h (redshift "
            f"{near:.4g} to {far:.4g}), {shell['galaxies']:,} galaxies"
        )
    for jump in step.get("jumps", []):
        text = f"border at {jump['distance_mpc_h']:.5g} Mpc/h: number density x " + _times(
            jump["numbers"]
        )
        if "massive" in jump:
            mass = f"{jump['massive_above_msun_h']:.3g} Msun/h"
            text += f", above {mass} x {_times(jump['massive'])}"
        texts.append(text)
    return "light cone", texts


def _times(ratio: float | None) -> str:
    return "?" if ratio is None else f"{ratio:.3g}"


def _footprint(step: Mapping[str, Any]) -> _Words:
    what = step["footprint"]
    if what["kind"] == "box":
        (west, east), (south, north) = what["ra_deg"], what["dec_deg"]
        where = f"ra {west:g} to {east:g}, dec {south:g} to {north:g} deg"
    elif what["kind"] == "cap":
        ra, dec = what["direction_deg"]
        where = f"within {what['opening_deg']:g} deg of ra {ra:.6g}, dec {dec:.6g} deg"
    else:
        where = ", ".join(
            f"{label}{what[key]}"
            for key, label in (("kind", ""), ("map", ""), ("nside", "nside "), ("coordinates", ""))
            if key in what
        )
    text = f"{_counts(step)} in {step['area_deg2']:.6g} deg^2: {where}"
    thinned = f"{step['thinned']:,} thinned by its completeness"
    return "footprint", [text] + [thinned] * bool(step["thinned"])


def _redshift_errors(step: Mapping[str, Any]) -> _Words:
    velocity, relative = step["sigma_v_km_s"], step["sigma_z_over_1_plus_z"]
    parts = [f"sigma {velocity:g} km/s"] * bool(velocity)
    parts += [f"sigma {relative:g} (1 + z)"] * bool(relative)
    parts += [f"{step['catastrophic']:,} catastrophic"] * bool(step["catastrophic"])
    return "redshifts", [f"redshift_measured: {', '.join(parts) or 'no error'}"]


def _mass_error(step: Mapping[str, Any]) -> _Words:
    return "masses", [f"stellar_mass_measured: sigma {step['sigma_dex']:g} dex"]


def _n_of_z(step: Mapping[str, Any]) -> _Words:
    edges, reached = step["edges"], step["reached_h3_mpc3"]
    asked = step.get("asked_h3_mpc3", [None] * len(reached))
    texts = [
        f"{_counts(step)} by {step['by']} in {len(reached)} bins of {step['redshifts']}; "
        f"{step['beyond_the_bins']:,} were beyond them"
    ]
    bins = list(zip(edges[:-1], edges[1:], asked, reached, strict=True))
    for low, high, wanted, found in bins[:_BINS]:
        ask = "" if wanted is None else f"{wanted:.4g} asked, "
        texts.append(f"{low:.4g} to {high:.4g}: {ask}{found:.4g} reached h^3/Mpc^3")
    return "n(z)", texts + [f"and {len(bins) - _BINS} bins more"] * (len(bins) > _BINS)


def _close_pairs(step: Mapping[str, Any]) -> _Words:
    text = (
        f"{_counts(step)}: {step['lost']:,} closer than {step['angle_arcsec']:g} arcsec to others"
    )
    return "pairs", [f"{text} are lost, and stood for by weight_close_pairs"]


def _weights(step: Mapping[str, Any]) -> _Words:
    return "weights", [f"weight_fkp with P0 = {step['fkp_power_mpc3_h3']:g} Mpc^3/h^3"]


def _regions(step: Mapping[str, Any]) -> _Words:
    return "regions", [f"{step['number']:,} of equal numbers of randoms"]


def _randoms(step: Mapping[str, Any]) -> _Words:
    texts = [f"{step['number']:,} points in {step['area_deg2']:.6g} deg^2"]
    return "randoms", [*texts, f"redshifts of {step['redshifts_of']}"]


def _other(step: Mapping[str, Any]) -> _Words:
    return "survey", [str(step.get("step"))]


def _counts(step: Mapping[str, Any]) -> str:
    return f"{step['before']:,} -> {step['after']:,} galaxies"


_IN_WORDS = {
    "redshift space": _redshift_space,
    "light cone": _light_cone,
    "footprint": _footprint,
    "redshift errors": _redshift_errors,
    "stellar-mass error": _mass_error,
    "n(z)": _n_of_z,
    "close pairs": _close_pairs,
    "randoms": _randoms,
    "weights": _weights,
    "regions": _regions,
}
