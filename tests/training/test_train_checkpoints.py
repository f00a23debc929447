"""Checkpoints: whole or not there, two of them, and refused where they are damaged."""

import json

import pytest
import torch

from mockgal.errors import CorruptFileError, InternalError, MockgalWarning, UsageError
from mockgal.training.checkpoints import KEY, Checkpoints, State, read_checkpoint, write_checkpoint


def state(steps=3):
    torch_state = {"a.weight": torch.arange(6.0).reshape(2, 3) / 7, "n": torch.tensor(steps)}
    return State(
        model=torch_state,
        best={name: value + 1 for name, value in torch_state.items()},
        first={"a.weight": torch.full((2, 3), 1e-30)},
        second={"a.weight": torch.rand(2, 3, generator=torch.Generator().manual_seed(1))},
        steps=steps,
        batch=2,
        losses=[[0.1, 16.0], [1 / 3, 15.0]],
        rows=[{"epoch": 1, "validation_loss": 0.1 + 0.2, "score": None}],
    )


def same(one, other):
    plain = ("steps", "batch", "losses", "rows")
    assert [getattr(one, n) for n in plain] == [getattr(other, n) for n in plain]
    for part in ("model", "best", "first", "second"):
        left, right = getattr(one, part), getattr(other, part)
        assert set(left) == set(right)
        assert all(torch.equal(left[n], right[n]) for n in left)


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "c.safetensors"
    write_checkpoint(path, state(), "key")
    key, found = read_checkpoint(path)
    assert key == "key"
    same(found, state())


def test_two_are_kept_and_the_newer_is_found(tmp_path):
    checkpoints = Checkpoints(tmp_path, "key")
    assert checkpoints.newest() is None
    for steps in (1, 2, 3, 4):
        checkpoints.write(state(steps))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint-0.safetensors",
        "checkpoint-1.safetensors",
    ]
    same(Checkpoints(tmp_path, "key").newest(), state(4))
    again = Checkpoints(tmp_path, "key")
    again.newest()
    again.write(state(5))
    assert {read_checkpoint(p)[1].steps for p in tmp_path.iterdir()} == {4, 5}


def newest_path(folder):
    return max(folder.glob("*.safetensors"), key=lambda p: read_checkpoint(p)[1].steps)


@pytest.mark.fault(81)
@pytest.mark.parametrize("damage", ["cut", "empty", "number", "header", "pickle"])
def test_a_damaged_last_one_falls_back_to_the_one_before(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.write(state(1))
    checkpoints.write(state(2))
    path = newest_path(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[:-5]
    elif damage == "empty":
        content = b""
    elif damage == "number":
        content[-3] ^= 1
    elif damage == "header":
        at = content.index(b"losses")
        content[at + 12] ^= 1
    else:
        content = b"\x80\x04" + bytes(content)
    path.write_bytes(content)
    after = Checkpoints(tmp_path, "key")
    with pytest.warns(MockgalWarning, match=f"{path.name} is damaged"):
        same(after.newest(), state(1))
    after.write(state(3))  # over the damaged one
    assert {read_checkpoint(p)[1].steps for p in tmp_path.iterdir()} == {1, 3}


def test_if_both_are_damaged_it_says_so(tmp_path):
    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.write(state(1))
    checkpoints.write(state(2))
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptFileError, match="start over"):
        Checkpoints(tmp_path, "key").newest()


def test_those_of_another_training_are_refused(tmp_path):
    Checkpoints(tmp_path, "key").write(state())
    with pytest.raises(UsageError, match="another training"):
        Checkpoints(tmp_path, "other").newest()


def test_numbers_that_are_not_finite_are_not_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.write(state(1))
    bad = state(2)
    bad.model["a.weight"][0, 0] = float("nan")
    with pytest.raises(InternalError, match="NaN"):
        checkpoints.write(bad)
    same(Checkpoints(tmp_path, "key").newest(), state(1))


def test_other_safetensors_are_none(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "checkpoint-0.safetensors"
    save_file({"x": torch.zeros(2)}, path, {KEY: json.dumps({})})
    with pytest.raises(CorruptFileError, match="not a checkpoint"):
        read_checkpoint(path)
