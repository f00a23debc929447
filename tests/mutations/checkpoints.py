"""Forged checkpoints for `mockgal weights convert`, and what becomes of them.

`mutations` yields files, `outcome` converts one. Run as a program it counts outcomes::

    python tests/mutations/checkpoints.py [NUMBER] [SEED]
"""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "painters"))
from checkpoint_samples import published_state
from safetensors.torch import save as safetensors

from mockgal.errors import MockgalError
from mockgal.painters.cnn.weights import checkpoint, checkpoint_child

SECONDS = 120.0  # for one file; far more than any takes
_STRANGE = (0, 1, 2**31 - 1, 2**32 - 1)
_WORDS = [
    b"cos\nsystem\n(S'touch it-went-off'\ntR",  # what a pickle does to execute a command
    b"c__builtin__\neval\n(S'1'\ntR",
    b"ctorch\nload\n(tR",
    b"carsparse\nNamespace\n(tR",
    b"cargparse\nNamespace\n)\x81}\x8c\x01a]sb",
    b"\x8b\xff\xff\xff\x7f",  # a long of 2 GiB
    b"\x8a\xff" + b"\x7f" * 255,  # a long of 255 bytes
    b"\x8b\x00\x10\x00\x00" + b"\x7f" * 4096,  # more digits than Python prints
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",  # a text of 8 EiB
    b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f",  # a frame of 8 EiB
    b"]" * 5000 + b"a" * 4999,
    b"(" * 50000,
    b"\x82\x01",
    b"\x97",
    b"P1\n",
    b"Q",
    b"h\xff",
    b"j\xff\xff\xff\xff",
    b"r\xff\xff\xff\x7f",
    b"0" * 50,
    b"N",
    b"}",
    b"\x8c\x02\xff\xfe",
]


class Strange:
    """Pickled as a call of something harmless that is not a tensor's."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call, self.arguments


def _values(**changes: Any) -> dict[str, Any]:
    return {
        "epoch": 12,
        "global_step": 3456,
        "hparams": {"n_ch": 1, "loss_fn": "mse"},
        "state_dict": published_state(width=1),
    } | changes


def _saved(values: Any, *, old: bool = False, **more: Any) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(values, stream, _use_new_zipfile_serialization=not old, **more)
    return stream.getvalue()


@cache
def _base(old: bool) -> bytes:
    return _saved(_values(), old=old)


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _bytes(rng: random.Random, content: bytes, end: int | None = None) -> bytes:
    """Flip, cut, repeat or leave out bytes somewhere before ``end``."""
    found, end = bytearray(content), min(end or len(content), len(content))
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if not found:
            break
        place = rng.randrange(min(end, len(found)))
        length = rng.choice((1, 1, 2, 4, 8, 100))
        match rng.randrange(5):
            case 0:
                found[place] = rng.randrange(256)
            case 1:
                found[place : place + 4] = struct.pack("<I", rng.choice(_STRANGE))
            case 2:
                del found[place : place + length]
            case 3:
                found[place:place] = found[place : place + length]
            case 4:
                found[place : place + length] = bytes(length)
    return bytes(found)


def _anywhere(rng: random.Random) -> bytes:
    return _bytes(rng, _base(rng.random() < 0.5))


def _cut(rng: random.Random) -> bytes:
    content = _base(rng.random() < 0.5)
    return content[: rng.randrange(len(content))]


def _in_the_pickle(rng: random.Random) -> bytes:
    """Damage the pickle of an archive whose checksums are right, or that of an old file."""
    if rng.random() < 0.3:
        return _bytes(rng, _base(True), 8000)
    members = _members(_base(False))
    name = next(name for name in members if name.endswith("data.pkl"))
    return _zipped(members | {name: _bytes(rng, members[name])})


def _opcodes(rng: random.Random) -> bytes:
    """Put opcodes into the pickle, at its end or anywhere."""
    members = _members(_base(False))
    name = next(name for name in members if name.endswith("data.pkl"))
    content = members[name]
    place = len(content) - 1 if rng.random() < 0.5 else rng.randrange(2, len(content))
    words = b"".join(rng.choices(_WORDS, k=rng.choice((1, 1, 3))))
    changed = content[:place] + words + content[place:]
    if rng.random() < 0.2:
        changed = b"\x80\x02" + words + b"."
    return _zipped(members | {name: changed})


def _directory(rng: random.Random) -> bytes:
    """Change sizes, offsets, methods and attributes in the directory of the archive."""
    content = bytearray(_base(False))
    heads = [place for place in range(len(content)) if content[place : place + 4] == b"PK\x01\x02"]
    for _ in range(rng.choice((1, 1, 3))):
        place = rng.choice(heads)
        offset, form, values = rng.choice(
            [
                (10, "<H", (0, 8, 9, 12, 14, 99)),  # how it is compressed
                (8, "<H", (1, 8, 1 << 11, 1 << 13)),  # encrypted, ...
                (20, "<I", (*_STRANGE, len(content))),
                (24, "<I", (*_STRANGE, len(content))),
                (28, "<H", (0, 1, 65535)),
                (30, "<H", (0, 1, 65535)),
                (38, "<I", (0xA1FF0000, 0x41FF0000)),  # a symbolic link, a folder
                (42, "<I", (*_STRANGE, *(_offset(content, head) for head in heads))),
            ]
        )
        struct.pack_into(form, content, place + offset, rng.choice(values))
    return bytes(content)


def _offset(content: bytearray, head: int) -> int:
    found: int = struct.unpack_from("<I", content, head + 42)[0]
    return found


def _archives(rng: random.Random) -> bytes:
    """Archives of other members: bombs, doubles, links, folders, scripts."""
    members = _members(_base(False))
    name, root = next((n, n.split("/")[0]) for n in members if n.endswith("data.pkl"))
    stream = io.BytesIO()
    match rng.randrange(7):
        case 0:
            return _zipped(members | {f"{root}/bomb": bytes(1 << 22)}, zipfile.ZIP_DEFLATED)
        case 1:
            with zipfile.ZipFile(stream, "w") as archive, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for key, content in [*members.items(), (name, pickle.dumps({"state_dict": 1}, 2))]:
                    archive.writestr(key, content)
        case 2:
            with zipfile.ZipFile(stream, "w") as archive:
                for key, content in members.items():
                    info = zipfile.ZipInfo(key)
                    if rng.random() < 0.2:
                        info.external_attr = 0xA1FF0000
                        content = b"/etc/passwd"
                    archive.writestr(info, content)
        case 3:
            return _zipped(
                {key.replace(root, rng.choice(("..", "/", "a/b"))): c for key, c in members.items()}
            )
        case 4:
            left_out = rng.choice(list(members))
            return _zipped({key: content for key, content in members.items() if key != left_out})
        case 5:
            return _zipped(members | {f"{root}/{n}": b"" for n in range(rng.choice((3, 3000)))})
        case 6:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.jit.save(_script(), stream)
    return stream.getvalue()


@cache
def _script() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))


def _tensors(rng: random.Random) -> bytes:
    """Tensors that are others than they should be: types, shapes, strides, names, numbers."""
    state = published_state(width=1)
    name = rng.choice(list(state))
    value = state[name]
    dtypes = [torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.int8, torch.bool]
    match rng.randrange(16):
        case 0:
            state[name] = value.to(rng.choice(dtypes))
        case 1:
            del state[name]
        case 2:
            state[rng.choice(("x", "", "a\nb", "\ud800", "_model", "x" * 10**5))] = value
        case 3:
            state[name] = value * float(rng.choice(("nan", "inf", "-inf", "-1", "1e38")))
        case 4:
            state[name] = torch.zeros(1).expand(rng.choice((3, 10**6, 2**40)))
        case 5:
            state[name] = torch.zeros(rng.choice(((0,), (2, 0), (1,) * 30, (1,) * 64)))
        case 6:
            state[name] = torch.eye(3).to_sparse()
        case 7:
            state[name] = rng.choice((None, 3, "x", [value], {"a": value}, torch.Size([1])))
        case 8:
            state[name] = torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8)
        case 9:
            state[name] = torch.empty(3, device="meta")
        case 10:
            state = {name: state[name]} if rng.random() < 0.5 else dict.fromkeys(state, value)
        case 11:
            state |= {f"t{n}": torch.zeros(1) for n in range(rng.choice((10, 5000)))}
        case 12:
            state[name] = value.flatten()[::2] if value.ndim else value[None].expand(2)
        case 13:
            state[rng.choice((3, None, (1, 2), b"x"))] = value
        case 14:
            state[name] = torch.nn.Parameter(value) if value.is_floating_point() else value.conj()
        case 15:
            state[name] = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    return _saved(_values(state_dict=state), old=rng.random() < 0.3)


def _objects(rng: random.Random) -> bytes:
    """Other objects than tensors, in the places of facts and of all."""
    deep: Any = []
    for _ in range(rng.choice((10, 300))):
        deep = [deep, deep] if rng.random() < 0.3 else [deep]
    things = [
        10**5000,
        -(10**5000),
        float("nan"),
        "x" * 10**6,
        b"x" * 10,
        "\ud800",
        deep,
        {n: n for n in range(5000)},
        {(1, 2): 3},
        {"a": {"b": {"c": 1}}},
        Namespace(a=1, b=10**400),
        Namespace(keys=3, items=4),
        Strange(os.getcwd),
        Strange(bytearray, 10),
        Strange(Path, "x"),
        set(range(5)),
        complex(1, 2),
        None,
        [],
        torch.zeros(3),
    ]
    key = rng.choice(("hparams", "hyper_parameters", "epoch", "state_dict", "other", None))
    thing = rng.choice(things)
    return _saved(thing if key is None else _values(**{key: thing}), old=rng.random() < 0.3)


def _numbers(rng: random.Random) -> bytes:
    """Integers in the pickle (sizes, strides, offsets, numbers of values) changed to others."""
    old = rng.random() < 0.3
    members = {} if old else _members(_base(False))
    name = next((name for name in members if name.endswith("data.pkl")), "")
    content = bytearray(_base(True) if old else members[name])
    places = [i for i in range(len(content) - 5) if content[i] in b"KMJ"]
    for _ in range(rng.choice((1, 1, 4))):
        place = rng.choice(places)
        size = {ord("K"): 2, ord("M"): 3, ord("J"): 5}[content[place]]
        value = rng.choice((0, 1, -1, 255, 2**31 - 1, -(2**31), 1 << 20))
        content[place : place + size] = b"J" + struct.pack("<i", value)
        places = [i for i in range(len(content) - 5) if content[i] in b"KMJ"]
    return bytes(content) if old else _zipped(members | {name: bytes(content)})


def _other_formats(rng: random.Random) -> bytes:
    """What is no checkpoint of a network: safetensors, old tar files, plain pickles, anything."""
    state = published_state(width=1)
    match rng.randrange(5):
        case 0:
            return _bytes(rng, safetensors(dict(state)), 4000)
        case 1:
            stream = io.BytesIO()
            with tarfile.open(fileobj=stream, mode="w") as archive:
                for name in ("storages", "tensors", "pickle", "../up"):
                    content = pickle.dumps(rng.choice((0, [], {"a": 1})), 2)
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
            return stream.getvalue()
        case 2:
            return pickle.dumps({"state_dict": {"a": [1] * 5}}, rng.randrange(6))
        case 3:
            return rng.choice((b"PK\x03\x04", b"\x80\x02", b"", b"\x93NUMPY")) + rng.randbytes(200)
        case _:
            header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
            return struct.pack("<Q", rng.choice((len(header), 2**62))) + header.encode() + bytes(4)


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    _anywhere,
    _cut,
    _in_the_pickle,
    _opcodes,
    _directory,
    _archives,
    _tensors,
    _objects,
    _numbers,
    _other_formats,
)


def mutations(rng: random.Random, n: int) -> Iterator[bytes]:
    """Yield ``n`` forged checkpoints, of all `KINDS` by turns."""
    for number in range(n):
        yield KINDS[number % len(KINDS)](rng)


def outcome(mutation: bytes) -> str:
    """Convert a checkpoint: "ok", or "refused" with the exit code.

    The process that reads is forked from this one, which has torch, and is not started anew.

    Raises
    ------
    Exception
        What `convert_checkpoint` must not raise; a file that takes `SECONDS`; an exit code that
        blames the machine; something executed or left behind.
    """
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        path, out = here / "a.ckpt", here / "w.safetensors"
        path.write_bytes(mutation)
        before, started, run = os.getcwd(), time.monotonic(), checkpoint.subprocess.run
        os.chdir(folder)
        checkpoint.subprocess.run = _forked  # type: ignore[assignment]
        try:
            checkpoint.convert_checkpoint(path, out)
            result = "ok"
        except MockgalError as error:
            if error.exit_code not in (3, 4):
                raise RuntimeError(f"exit code {error.exit_code}: {error}") from error
            if "\n" in str(error) or len(str(error)) > 4000:
                raise RuntimeError(f"a message of {len(str(error))} characters") from error
            result = f"refused {error.exit_code}"
        finally:
            os.chdir(before)
            checkpoint.subprocess.run = run
        if time.monotonic() - started > SECONDS:
            raise TimeoutError(f"more than {SECONDS:g} s")
        left = sorted(entry.name for entry in here.iterdir())
        if left != ["a.ckpt", "w.safetensors"][: 2 if result == "ok" else 1]:
            raise RuntimeError(f"files {left} after {result}")
    return result


def _forked(
    command: list[Any], *, input: str, timeout: float, **_: Any
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` for the program that reads, in a fork of this process."""
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads, which the child does not use
            child = os.fork()
        if child == 0:
            torch.set_num_threads(1)
            os.dup2(errors.fileno(), 2)
            code = 1
            try:
                sys.stdin = io.StringIO(input)
                reply = checkpoint_child.main(*map(str, command[3:]))
                os.write(said.fileno(), (json.dumps(reply) + "\n").encode())
                code = 0
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {error}".encode(errors="replace")[:4000])
            finally:
                os._exit(code)
        deadline = time.monotonic() + timeout
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                os.kill(child, 9)
                os.waitpid(child, 0)
                raise subprocess.TimeoutExpired(command, timeout)
            time.sleep(0.002)
        said.seek(0)
        errors.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return subprocess.CompletedProcess(command, code, said.read(), errors.read())


def main(number: int = 2000, seed: int = 1) -> int:
    """Count outcomes by kind; the number of those that none may be."""
    rng, counts, failures = random.Random(seed), Counter[tuple[str, str]](), 0
    torch.set_num_threads(1)
    for place, mutation in enumerate(mutations(rng, number)):
        kind = KINDS[place % len(KINDS)].__name__[1:]
        try:
            result = outcome(mutation)
        except Exception as error:
            failures += 1
            result = "FAILED"
            print(f"{place} {kind}: {type(error).__name__}: {str(error)[:400]}", flush=True)
        counts[kind, result] += 1
    for (kind, result), count in sorted(counts.items()):
        print(f"{kind:16} {result:10} {count}")
    return failures


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])) > 0)
