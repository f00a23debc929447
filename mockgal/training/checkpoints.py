"""Checkpoints of a training: two files, written in turn, each complete and verified.

A file holds the network, the best network so far, the moments of Adam, and the progress of the
training. It is a safetensors file, so that nothing in it is executed. Nothing else is needed: the
learning rate and the best epoch follow from the rows of the epochs, and batches from their numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import CorruptFileError, InternalError, MockgalError, UsageError, warn
from ..painters.cnn.weights.tensor_file import DTYPES, strict_json, tensor_file
from ..system.files.atomic import atomic_output
from ..system.memory import check_memory

KEY = "mockgal training"  # in the metadata of the safetensors file
PARTS = ("model", "best", "first", "second")  # the last two are Adam's moments
_ANEW = "give another folder, or empty this one, to start over"
_KINDS = {torch.float32: "F32", torch.int64: "I64"}


@dataclass
class State:
    """The state of a training.

    Parameters
    ----------
    model, best : dict of str to Tensor
        ``state_dict`` of the present network, and of the best epoch; the latter is empty before
        the end of the first epoch.
    first, second : dict of str to Tensor
        Adam's moments by parameter; empty before the first step.
    steps : int
        Steps taken by Adam.
    batch : int
        Finished batches of the current epoch.
    losses : list of [float, float]
        Sum of losses and sum of weights for each of these batches.
    rows : list of dict
        Row of the log for each finished epoch: plain JSON values.
    """

    model: dict[str, Tensor]
    best: dict[str, Tensor] = field(default_factory=dict)
    first: dict[str, Tensor] = field(default_factory=dict)
    second: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0
    batch: int = 0
    losses: list[list[float]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


class Checkpoints:
    """The two checkpoints of a folder.

    Parameters
    ----------
    folder : Path
    key : str
        Digest of all that the training depends on.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._paths = [folder / f"checkpoint-{k}.safetensors" for k in (0, 1)]
        self._key, self._next = key, 0

    def newest(self) -> State | None:
        """Return the latest readable state, or None if there is no checkpoint.

        Raises
        ------
        UsageError
            The checkpoints belong to another training.
        CorruptFileError
            No checkpoint can be read.
        """
        readable: list[tuple[int, int, State]] = []
        damaged: list[tuple[int, MockgalError]] = []
        for k, path in enumerate(self._paths):
            if not path.exists():
                continue
            try:
                key, state = read_checkpoint(path)
            except MockgalError as error:
                if error.exit_code not in (3, 4):  # the codes of a damaged file
                    raise
                damaged.append((k, error))
                continue
            if key != self._key:
                raise UsageError(
                    path,
                    "a checkpoint of another training (other samples, network or options)",
                    "no checkpoint, or one of this training",
                    _ANEW,
                )
            readable.append((state.steps, k, state))
        for k, wrong in damaged:
            if not readable:
                raise CorruptFileError(wrong.where, wrong.found, "one good checkpoint", _ANEW)
            warn(f"{self._paths[k]} is damaged ({wrong.found}); training resumes from the other")
        if not readable:
            return None
        _, last, state = max(readable, key=lambda item: item[:2])
        self._next = 1 - last
        return state

    def write(self, state: State) -> None:
        """Write a state in place of the older checkpoint.

        Raises
        ------
        InternalError
            The state has numbers that are not finite.
        OutputError, ResourceError
            See `mockgal.system.files.atomic.atomic_output`.
        """
        write_checkpoint(self._paths[self._next], state, self._key)
        self._next = 1 - self._next


def write_checkpoint(path: Path, state: State, key: str) -> None:
    """Write a state to a file, and read it back before it gets its final name."""
    from safetensors.numpy import save  # safetensors.torch refuses two names of one tensor

    tensors = {
        f"{part}/{name}": value.detach().to("cpu").contiguous()
        for part in PARTS
        for name, value in getattr(state, part).items()
    }
    for name, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            raise InternalError(
                path, f"{name} with NaN or infinity", "finite numbers", "lower the learning rate"
            )
    plain = {name: getattr(state, name) for name in ("steps", "batch", "losses", "rows")}
    text = json.dumps({"key": key} | plain, allow_nan=False)
    numbers = {name: value.numpy() for name, value in tensors.items()}
    content = save(numbers, {KEY: text, "digest": _digest(text, tensors)})
    with atomic_output(
        path, overwrite=True, expected_bytes=len(content), verify=read_checkpoint
    ) as temporary:
        temporary.write_bytes(content)


def read_checkpoint(path: Path) -> tuple[str, State]:
    """Return the key and the state in a file that `write_checkpoint` wrote.

    Raises
    ------
    InputError, UnsafeInputError
        (or a subclass) The file is not a checkpoint, or is damaged.
    ResourceError
        There is too little memory.
    """
    again = "the file as it was written"
    with tensor_file(path) as file:
        check_memory(str(path), sum(entry.end - entry.begin for entry in file.entries.values()))
        if not {KEY, "digest"} <= set(file.metadata):
            raise CorruptFileError(path, "a file that is not a checkpoint", again, _ANEW)
        text = file.metadata[KEY]
        tensors = {name: torch.from_numpy(file.read(name)) for name in file.entries}
    if _digest(text, tensors) != file.metadata["digest"]:
        raise CorruptFileError(path, "content that does not match its digest", again, _ANEW)
    plain = strict_json(text.encode(), str(path))
    parts: dict[str, Any] = {part: {} for part in PARTS}
    for name, value in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = value
    return plain.pop("key"), State(**parts, **plain)


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        kind = _KINDS[value.dtype]
        sha.update(json.dumps([name, kind, list(value.shape)]).encode())
        sha.update(np.ascontiguousarray(value.numpy(), DTYPES[kind]).data)
    return sha.hexdigest()
