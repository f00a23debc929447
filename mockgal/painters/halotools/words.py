"""The parameters of a model in words, from the record of a mock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def parameters_in_words(painter: Mapping[str, Any]) -> list[str]:
    """Return lines that say which parameters a mock was painted with.

    Parameters
    ----------
    painter : mapping
        What `Painter.describe` returned, of any painter; it may come from a file.

    Returns
    -------
    list of str
        Empty if the user gave no parameters.
    """
    lines = values_in_words(painter.get("parameters_given"))
    if not lines:
        return []
    bias = painter.get("assembly_bias")
    if isinstance(bias, Mapping):
        where = f" within {bias['radius_mpc_h']} Mpc/h" if "radius_mpc_h" in bias else ""
        lines.append(
            f"assembly bias by {bias.get('property')}{where} (from {bias.get('computed_from')}), "
            f"split at {bias.get('split')}"
        )
    return lines


def values_in_words(parameters: object) -> list[str]:
    """Return lines with the values of parameters by name, as a mock records them."""
    texts = [
        f"{name} = {one.get('value')} {one.get('unit', '')}".rstrip()
        for name, one in (parameters.items() if isinstance(parameters, Mapping) else ())
        if isinstance(one, Mapping)
    ]
    return [", ".join(texts[i : i + 4]) for i in range(0, len(texts), 4)]
