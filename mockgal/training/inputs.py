"""Check the samples of a training, and digest all that the training depends on."""

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
    """Raise if the samples do not match the weights that are to be trained.

    Parameters
    ----------
    samples : Samples
    rows : sequence of ndarray
        Rows for training, and for validation.
    header : WeightsHeader
    given : mapping of str to ndarray
        For each row of the samples, its chance of being drawn and its weight in the loss.

    Raises
    ------
    BadValueError
        The samples do not match.
    """
    width = len(header.architecture.features)
    if samples.features.shape != (len(samples.halo_id), width):
        raise BadValueError(
            "training features", f"an array of shape {samples.features.shape}", f"{width} a row"
        )
    lacking = set(header.architecture.further) - set(samples.further)
    if lacking:
        raise BadValueError("training targets", f"no {', '.join(lacking)}", "those of the network")
    for part, mine in zip(("training", "validation"), rows, strict=True):
        if not samples.luminous[mine].any():
            raise BadValueError(
                f"{part} rows",
                f"{len(mine)} subhalos, none of them with a galaxy",
                "at least one with a galaxy",
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
                f"an array of shape {np.shape(values)}, or numbers that are not allowed",
                f"{len(samples.halo_id)} finite numbers, none negative, some positive for training",
            )
    if header.architecture.outputs == MEAN_ONLY and not samples.luminous[rows[0]].all():
        dark = int(np.count_nonzero(~samples.luminous[rows[0]]))
        raise BadValueError(
            "training rows",
            f"{dark} subhalos without a galaxy, for a network that gives only the mean",
            "luminous subhalos only: the network cannot learn which are dark",
            "leave the dark subhalos out, or train a network that gives a distribution",
        )


def training_key(
    samples: Samples, header: WeightsHeader, options: TrainingOptions, given: Mapping[str, Array]
) -> str:
    """Return a digest of all that a training depends on, whatever the order of rows."""
    named = [(v.name, v.voxel_size, v.box_size, v.redshift) for v in samples.volumes]
    plain = [header.header_dict(), options.identity(), dict(samples.record), named, sorted(given)]
    plain.append(RULE)  # a checkpoint under another rule has other columns in its rows
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
