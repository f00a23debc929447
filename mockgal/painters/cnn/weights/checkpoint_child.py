"""Program that reads a torch checkpoint for `checkpoint.py` beside it; it is never imported.

It does not use mockgal. Its arguments are the checkpoint, the descriptor of the safetensors file to
write, seconds of computing, bytes of memory, and bytes of the checkpoint; its standard input is the
module search path as JSON. It writes only tensors of the ``state_dict`` and plain facts. A line of
JSON on standard output reports the outcome.
"""

import argparse
import json
import pickle
import re
import resource
import sys
from collections.abc import Mapping
from typing import Any

HYPERPARAMETERS = ("hyper_parameters", "hparams")
FACTS = ("epoch", "global_step", "pytorch-lightning_version")
MOST, LONGEST = 1000, 200  # entries; characters of a text


def limit(seconds: int, size: int) -> None:
    """Limit this process to ``seconds`` of computing and ``size`` more bytes of memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    if sys.platform == "linux":
        with open("/proc/self/statm") as statm:
            size += int(statm.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or size < hard:
            resource.setrlimit(resource.RLIMIT_AS, (size, hard))


def plain(values: Any) -> dict[str, Any]:
    """Return the entries of a mapping or namespace that are plain numbers and texts."""
    values = vars(values) if isinstance(values, argparse.Namespace) else values
    if not isinstance(values, Mapping):
        return {}
    entries = {}
    for name, value in list(values.items())[:MOST]:
        if isinstance(value, (int, float)) and not abs(value) < 2**63:
            # JSON has no NaN and few digits, and Python prints only a few thousand digits.
            value = str(value) if isinstance(value, float) else "an integer beyond 2**63"
        elif isinstance(value, str):
            value = value[:LONGEST]
        if isinstance(name, str) and (value is None or isinstance(value, (str, bool, int, float))):
            entries[name[:LONGEST]] = value
    return entries


def refused(text: str) -> str:
    """Return what torch refused, without its advice to load the file nonetheless."""
    name = re.search(r"GLOBAL ([\w.]+)", text)
    return f"a Python object ({name[1]})" if name else "more than tensors and plain values"


def tensors(torch: Any, state: Any, most: int) -> dict[str, Any]:
    """Return the tensors of a state; all must be plain, with at most ``most`` bytes together."""
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and name.isprintable() for name in state
    ):
        raise LookupError("no state_dict of named tensors")
    total = 0
    for name, value in state.items():
        if not (
            type(value) in (torch.Tensor, torch.nn.Parameter)
            and not value.is_nested
            and not value.is_quantized
            and value.dtype in (torch.float64, torch.float32, torch.float16, torch.int64)
            and value.layout == torch.strided
            and value.device.type == "cpu"
            and value.is_contiguous()  # not an expanded view of few numbers
        ):
            raise LookupError(f"{name[:LONGEST]!r}, which is not a plain tensor")
        total += value.numel() * value.element_size()
    if total > most:
        raise LookupError(f"tensors of {total} bytes, more than the file has")
    # Clones, as tensors may share their memory, which safetensors does not accept.
    return {name: value.detach().clone() for name, value in state.items()}


def main(path: str, out: str, seconds: str, size: str, file_size: str) -> dict[str, str]:
    """Read the checkpoint, write its tensors, and return the outcome."""
    sys.path[:] = json.loads(sys.stdin.readline())
    import torch
    from safetensors.torch import save

    limit(int(seconds), int(size))
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        return {"unsafe": refused(str(error))}
    except Exception as error:  # torch passes on whatever a damaged file raises
        if isinstance(error, (MemoryError, RecursionError)) or "allocate memory" in str(error):
            return {"unsafe": "more memory or nesting than its size accounts for"}
        return {"damaged": f"{type(error).__name__}: {error}"}
    if not isinstance(loaded, Mapping):
        return {"layout": f"{type(loaded).__name__} in place of a mapping"}
    try:
        state = tensors(torch, loaded.get("state_dict"), int(file_size))
        facts = plain({name: loaded.get(name) for name in FACTS})
        for name in HYPERPARAMETERS:
            facts |= {"hyper_parameters": plain(loaded[name])} if name in loaded else {}
    except LookupError as error:
        return {"layout": str(error.args[0])}
    except Exception as error:  # a broken kind of tensor or mapping can raise anything
        return {"layout": f"objects that are not what they seem ({type(error).__name__})"}
    with open(int(out), "wb") as file:
        file.write(save(state, {"facts": json.dumps(facts)}))
    return {}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])) + "\n")
