"""The part of a card that describes the weights and their training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...painters.cnn.weights.header import TARGETS, WeightsHeader


def about(header: WeightsHeader, runs: list[dict[str, Any]]) -> str:
    """Return a section in Markdown on the weights, and on the runs that they were scored on.

    Parameters
    ----------
    header : WeightsHeader
        Header of the weights, with or without the provenance of `mockgal.train`.
    runs : list of dict
        ``dark``, ``hydro``: names; ``redshift``; ``matched_by``: the method; ``trained_on``:
        whether a part of the pair was used in training.
    """
    domain, network = header.domain, header.architecture
    p = header.provenance
    lines = ["", "## What they are", ""]
    lines += [f"- {p[name]}" for name in ("summary", "caution") if p.get(name)]
    lines += [
        f"- network {network.preset} of width {network.width}, {network.parameters:,} parameters; "
        f"target: {TARGETS[header.target]}"
        + "".join(f"; log10 of {name} [{unit}]" for name, unit in header.units.items()),
        f"- voxels of {domain.voxel_size:.4g} Mpc/h, subhalos from {domain.least_subhalo_mass:.4g} "
        f"Msun/h, galaxies from {domain.luminosity_floor:.4g} Msun/h",
    ]
    try:
        lines += _trained_on(p)
    except (KeyError, TypeError, ValueError):
        lines.append("- what they were trained on is stated in a form that is not known")
    lines += ["", "## What they were held against here", ""]
    for run in runs:
        lines.append(
            f"- {run['dark']} and {run['hydro']}, redshift {run['redshift']:.4g}, matched "
            f"by {run['matched_by']}: "
            + (
                "the held-out part of a pair that was trained on"
                if run["trained_on"]
                else "all of a pair that was not trained on; whether it has the initial conditions "
                "of one that was is not known"
            )
        )
    return "\n".join(lines) + "\n"


def _trained_on(provenance: Mapping[str, Any]) -> list[str]:
    """Return lines on the training data, if the weights have it on record."""
    data, training = provenance.get("training_data"), provenance.get("training")
    if not (isinstance(data, Mapping) and "pairs" in data and isinstance(training, Mapping)):
        return []
    lines = []
    for pair in data["pairs"]:
        hydro, dark, matching = pair["hydro"], pair["dark"], pair["matching"]
        lines.append(
            f"- trained on {dark['simulation']} and {hydro['simulation']}, redshift "
            f"{dark['redshift']:.4g}, box {dark['box_size_mpc_h']:g} Mpc/h, matched by "
            f"{matching['method']}; {matching['luminous_hydro_unmatched']:,} of "
            f"{matching['luminous_hydro']:,} luminous galaxies "
            f"({matching['stellar_mass_share_unmatched']:.1%} of their stellar mass) are matched "
            "with no gravity-only subhalo"
            + (
                f", and {matching['luminous_hydro_unresolved']:,} "
                f"({matching['stellar_mass_share_unresolved']:.1%}) with one that is not resolved: "
                "these are missing"
                if "luminous_hydro_unresolved" in matching
                else ", and missing"
            )
        )
    rows, split = training["rows"], training["samples"]["split"]
    lines.append(
        f"- split by {split['kind']} with a buffer of {split['buffer_voxels']} voxels: "
        f"{rows['training']:,} subhalos to train on, {rows['validation']:,} to choose among "
        f"{training['epochs']} epochs"
    )
    lines.append(f"- sampling: {data['sampling']}")
    return lines
