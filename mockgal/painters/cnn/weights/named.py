"""Weights of the dm2gal network with their header: files, names, and the digest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ....errors import BadValueError, CorruptFileError
from ....system.files.atomic import atomic_output
from ....system.memory import check_memory
from ...by_name import by_name
from ..architecture import CHANNELS, Architecture
from ..network import GalaxyNetwork
from ..options import EXTENSION
from ..options import SHIPPED as SHIPPED
from .header import AGAIN, FORMAT, KEY, WeightsHeader, header_of, in_file
from .tensor_file import COPY_AGAIN, DTYPES, MAX_HEADER, check_names, tensor_file

_FIRST = "blocks.0.convolution.weight"
_KINDS = {torch.float32: "F32", torch.int64: "I64"}


@dataclass(frozen=True, eq=False)  # tensors do not compare as wholes
class Weights(WeightsHeader):
    """A trained network.

    Parameters
    ----------
    name, architecture, normalisation, domain, target, provenance
        See `WeightsHeader`.
    state : mapping of str to Tensor
        ``state_dict`` of a `GalaxyNetwork` of the architecture; copied, so that later training of
        that network does not change it.

    Raises
    ------
    MissingDatasetError
        Tensors are missing, or there are others.
    BadValueError
        Wrong shapes or types, NaN or infinity, negative variances; see also `WeightsHeader`.
    """

    state: Mapping[str, Tensor] = field(repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_tensors(
            "weights",
            self.architecture,
            {
                name: (_KINDS.get(value.dtype, str(value.dtype)), tuple(value.shape))
                for name, value in self.state.items()
            },
        )
        copied = {
            name: self.state[name].detach().to("cpu", copy=True).contiguous()
            for name in sorted(self.state)
        }
        for name, value in copied.items():
            wrong = int(torch.count_nonzero(~torch.isfinite(value)))
            if wrong:
                raise _bad(name, f"{wrong} values that are NaN or infinite", "finite numbers")
            if name.endswith((".running_var", ".num_batches_tracked")) and bool((value < 0).any()):
                raise _bad(name, "negative values", "values of 0 or more")
        object.__setattr__(self, "state", MappingProxyType(copied))

    def network(self) -> GalaxyNetwork:
        """Return the network in evaluation mode, with a copy of the weights.

        No random state is used.
        """
        network = _without_numbers(self.architecture)
        copied = {name: value.clone() for name, value in self.state.items()}
        network.load_state_dict(copied, strict=True, assign=True)
        return network.eval()

    def digest(self) -> str:
        """Return the SHA-256 of the header and the numbers, whatever file they came from."""
        sha = hashlib.sha256(_json(self.header_dict()))
        for name, value in self.state.items():  # sorted
            kind = _KINDS[value.dtype]
            sha.update(_json([name, kind, list(value.shape)]))
            sha.update(np.ascontiguousarray(value.numpy(), DTYPES[kind]).data)
        return sha.hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return the header and the digest as plain JSON values, for the provenance of outputs."""
        return self.header_dict() | {"digest": self.digest()}


class Shipped(NamedTuple):
    """A weights file that comes with the package, its header, and the digest that it states."""

    path: Path
    header: WeightsHeader
    digest: str


def save_weights(
    weights: Weights, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write weights to a safetensors file, and read it back before it gets its final name.

    Raises
    ------
    BadValueError
        The provenance is too long.
    UsageError, OutputError, ResourceError, InternalError
        See `mockgal.system.files.atomic.atomic_output`.
    """
    from safetensors.torch import save

    header = json.dumps({"format": FORMAT, "digest": weights.digest()} | weights.header_dict())
    if len(header) > MAX_HEADER // 4:  # it grows when it is embedded in the file's JSON
        raise _bad("provenance", f"{len(header)} bytes", f"at most {MAX_HEADER // 4}")
    content = save(dict(weights.state), {KEY: header})
    with atomic_output(
        Path(path), overwrite=overwrite, expected_bytes=len(content), verify=read_weights
    ) as temporary:
        temporary.write_bytes(content)


def read_weights(path: str | os.PathLike[str]) -> Weights:
    """Read the weights in a file that `save_weights` wrote.

    Raises
    ------
    InputError
        (or a subclass) The file is unreadable, damaged, of another format, or has values or tensors
        that are not allowed.
    UnsafeInputError
        The file is a pickle or the like, declares impossible sizes, or has overlapping tensors.
    ResourceError
        There is too little memory.
    """
    path = Path(path)
    with tensor_file(path) as file:
        header, digest = header_of(file)
        try:
            # Before any number is read, so that no more is read than a network has.
            _check_tensors(
                path,
                header.architecture,
                {name: (entry.dtype, entry.shape) for name, entry in file.entries.items()},
            )
            total = sum(entry.end - entry.begin for entry in file.entries.values())
            check_memory(str(path), 2 * total)
            state = {name: torch.from_numpy(file.read(name)) for name in file.entries}
            weights = Weights(
                **{name: getattr(header, name) for name in WeightsHeader.__dataclass_fields__},
                state=state,
            )
        except BadValueError as error:
            raise in_file(path, error) from error
    if weights.digest() != digest:
        raise CorruptFileError(
            path, "content that does not match its digest", "the file as it was written", COPY_AGAIN
        )
    return weights


def shipped_weights() -> tuple[Shipped, ...]:
    """Return the weights that come with the package, by file name; only headers are read."""
    shipped = []
    for path in sorted(SHIPPED.glob(f"*{EXTENSION}")):
        with tensor_file(path) as file:
            shipped.append(Shipped(path, *header_of(file)))
    return tuple(shipped)


def named_weights(name_or_path: str | os.PathLike[str]) -> Weights:
    """Return the shipped weights of that name, or those at a path.

    Raises
    ------
    UsageError
        There is no such name.
    MockgalError
        See `read_weights`.
    """
    return read_weights(find_weights(name_or_path))


def find_weights(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the file of `named_weights`; see `mockgal.painters.by_name`."""
    paths = {own.header.name: own.path for own in shipped_weights()}
    chosen = by_name(
        name_or_path,
        paths,
        where="weights",
        flag="--weights",
        extension=EXTENSION,
        listed_by="mockgal weights list",
    )
    return chosen if isinstance(chosen, Path) else paths[chosen]


def _without_numbers(architecture: Architecture) -> GalaxyNetwork:
    """Return the network with shapes only: it takes no memory, and no random numbers."""
    with torch.device("meta"):
        return GalaxyNetwork(architecture)


def _check_tensors(
    where: object, architecture: Architecture, found: Mapping[str, tuple[str, tuple[int, ...]]]
) -> None:
    """Raise unless tensors, as (type, shape) by name, are those of a network."""
    expected = {
        name: (_KINDS[value.dtype], tuple(value.shape))
        for name, value in _without_numbers(architecture).state_dict().items()
    }
    text = f"the {len(expected)} tensors of the architecture"
    check_names(where, set(found), set(expected), text, AGAIN)
    for name, (kind, shape) in expected.items():
        if name == _FIRST and len(found[name][1]) > 1 and found[name][1][1] != shape[1]:
            raise _bad(name, f"{found[name][1][1]} channels of input", " and ".join(CHANNELS))
        if found[name] != (kind, shape):
            there, needed = (f"{k} of shape {list(s)}" for k, s in (found[name], (kind, shape)))
            raise _bad(name, there, f"{needed}, as the architecture says")


def _json(value: Any) -> bytes:
    """Return the canonical JSON text of plain values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _bad(name: str, found: str, expected: str) -> BadValueError:
    return BadValueError(f"weights {name}", found, expected, AGAIN)


def outside_the_bar(scores: Any) -> tuple[int, int]:
    """Return the number of a card's tests that are outside their bar, and of all its tests."""
    if isinstance(scores, Mapping):
        parts: Iterable[Any] = scores.values()
    elif isinstance(scores, list | tuple):
        parts = scores
    else:
        return 0, 0
    outside = tests = 0
    if isinstance(scores, Mapping) and isinstance(scores.get("verdict"), str):
        outside, tests = int(scores["verdict"] == "outside"), 1
    for part in parts:
        more = outside_the_bar(part)
        outside, tests = outside + more[0], tests + more[1]
    return outside, tests
