"""Whether samples can be trained on, and the digest of all that a training depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError
from ..painters.cnn.architecture import MEAN_ONLY
from ..painters.cnn.weights.header import WeightsHeader
from .data.samples import Samples
from .evaluation.selection import RULE
from .options import TrainingOptions

Array = NDArray[Any]


def check_samples(
    samples: Samples, rows: Sequence[Array], header: WeightsHeader, given: Mapping[str, Array]
) -> None:
    """Whether the samples go with the weights that are to be made.

    Parameters
    ----------
    samples : Samples
    rows : sequence of ndarray
        For training and for validation.
    header : WeightsHeader
    given : mapping of str to ndarray
        Numbers for each row of the samples that say how often it is drawn, and what it counts.

    Raises
    ------
    BadValueError
        They do not.
    """
    wanted = len(header.architecture.features)
    if samples.features.shape != (len(samples.halo_id), wanted):
        raise BadValueError(
            "training features", f"an array of shape {samples.features.shape}", f"{wanted} a row"
        )
    lacking = set(header.architecture.further) - set(samples.further)
    if lacking:
        raise BadValueError("training targets", f"no {', '.join(lacking)}", "those of the network")
    for part, mine in zip(("training", "validation"), rows, strict=True):
        if not samples.luminous[mine].any():
            raise BadValueError(
                f"{part} rows",
                f"{len(mine)} subhalos, none of them with a galaxy",
                "some of them with one",
                "split the runs in another way, or lower the luminosity floor",
            )
    floor = header.domain.luminosity_floor
    known = samples.log_stellar_mass[samples.luminous]
    least = 10.0 ** float(known.min())
    if least < floor * (1.0 - 1e-6):
        raise BadValueError(
            "training targets",
            f"a galaxy of {least:.6g} Msun/h",
            f"none below the luminosity floor, {floor:.6g} Msun/h",
        )
    for name, values in given.items():
        good = np.shape(values) == samples.halo_id.shape
        if good:
            mine = np.asarray(values)[rows[0]]
            good = bool(np.isfinite(mine).all() and (mine >= 0).all() and (mine > 0).any())
        if not good:
            raise BadValueError(
                f"training {name}",
                f"an array of shape {np.shape(values)}, or numbers that cannot be",
                f"{len(samples.halo_id)}, finite and none negative, some positive for training",
            )
    if header.architecture.outputs == MEAN_ONLY and not samples.luminous[rows[0]].all():
        dark = int(np.count_nonzero(~samples.luminous[rows[0]]))
        raise BadValueError(
            "training rows",
            f"{dark} subhalos without a galaxy, for a network that gives the mean alone",
            "only luminous ones: it cannot learn which are not",
            "leave them out, or train a network of other outputs",
        )


def training_key(
    samples: Samples, header: WeightsHeader, options: TrainingOptions, given: Mapping[str, Array]
) -> str:
    """Digest of all that a training depends on, whatever the order of rows."""
    named = [(v.name, v.voxel_size, v.box_size, v.redshift) for v in samples.volumes]
    plain = [header.header_dict(), options.identity(), dict(samples.record), named, sorted(given)]
    plain.append(RULE)  # rows of another one have other entries
    sha = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    names = ("volume", "halo_id", "voxel", "features", "log_stellar_mass", "mass", "part")
    order = np.lexsort((samples.halo_id, samples.volume))
    columns = [getattr(samples, name) for name in names]
    columns += [values[name] for values in (samples.further, given) for name in sorted(values)]
    for values in columns:
        sha.update(f"{values.dtype.str} {values.shape}".encode())
        sha.update(np.ascontiguousarray(values[order]).data)
    for volume in samples.volumes:
        for channel in volume.channels:
            for plane in channel:
                sha.update(np.ascontiguousarray(plane).data)
    return sha.hexdigest()
