"""The published checkpoint: read without executing anything, converted to the same function."""

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from bomb import Bomb
from checkpoint_samples import WIDTH, blocks, published_state

from mockgal.cli import main
from mockgal.cosmology import CRITICAL_DENSITY
from mockgal.errors import MockgalError
from mockgal.painters.cnn.weights import checkpoint as module
from mockgal.painters.cnn.weights.checkpoint import convert_checkpoint
from mockgal.painters.cnn.weights.named import read_weights, shipped_weights


def published_forward(state, x):
    """What the public code computes with a state, written down plainly."""
    for n, block, _, _ in blocks():
        x = F.conv3d(
            x,
            state[f"{block}.conv1.weight"],
            state[f"{block}.conv1.bias"],
            stride=1 if n % 2 else 2,
        )
        mean, variance, gain, shift = (
            state[f"{block}.bn1.{name}"].view(-1, 1, 1, 1)
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        x = torch.clamp((x - mean) / torch.sqrt(variance + 1e-5) * gain + shift, min=0)
    x = x.reshape(len(x), -1)
    for name in ("fc1", "fc2"):
        x = x @ state[f"_model.{name}.weight"].T + state[f"_model.{name}.bias"]
        x = torch.clamp(x, min=0) if name == "fc1" else x
    return x


def checkpoint(**changes):
    """As Lightning 0.7 wrote them."""
    return {
        "epoch": 12,
        "global_step": 3456,
        "checkpoint_callback_best": torch.tensor(0.25),
        "optimizer_states": [{"state": {1: {"step": 3, "exp_avg": torch.zeros(5)}}}],
        "lr_schedulers": [{"best": float("inf"), "mode": "min"}],
        "hparams": {"learning_rate": 1e-5, "n_ch": WIDTH, "loss_fn": "mse", "best": float("nan")},
        "hparams_type": "namespace",
        "state_dict": published_state(),
    } | changes


def save(path, values, old):
    torch.save(values, path, _use_new_zipfile_serialization=not old)
    return path


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    path = save(folder / "a.ckpt", checkpoint(), False)
    return convert_checkpoint(path, folder / "w.safetensors")


FORMS = {
    "old, namespace": (True, {"hparams": Namespace(n_ch=WIDTH, learning_rate=1e-5, trials=[1])}),
    "zip, hyper_parameters": (
        False,
        {"hyper_parameters": Namespace(n_ch=WIDTH), "pytorch-lightning_version": "1.9.0"},
    ),
}


def test_the_same_function(converted):
    crops = 2 * torch.rand(1, 2, 65, 65, 65, generator=torch.Generator().manual_seed(1)) - 1
    with torch.no_grad():
        result = converted.network()(crops, torch.empty(1, 0))
        expected = published_forward(published_state(), crops)
        assert result.shape == (1, 1)
        assert abs(published_forward(published_state(), -crops) - expected) > 1e-3  # no constant
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow_but("zip")
@pytest.mark.parametrize("form", FORMS)
def test_forms(tmp_path, converted, form):
    """All that torch and Lightning have written give the same numbers, and say what they can."""
    old, changes = FORMS[form]
    path = save(tmp_path / "best.ckpt", checkpoint(**changes), old)
    convert_checkpoint(path, tmp_path / "w.safetensors")
    read = read_weights(tmp_path / "w.safetensors")
    for name, value in converted.state.items():
        assert torch.equal(read.state[name], value)
    facts = read.provenance["training_data"]["checkpoint"]
    assert (facts["epoch"], facts["global_step"]) == (12, 3456)
    assert facts["hyper_parameters"]["n_ch"] == WIDTH
    assert facts["size"] == path.stat().st_size
    assert facts["file"] == "best.ckpt"
    assert re.fullmatch("[0-9a-f]{64}", facts["sha256"])
    counted = [value for name, value in read.state.items() if name.endswith("tracked")]
    assert [int(value) for value in counted] == [101, 101, 102, 103, 103, 104, 105, 105, 106]


def test_what_is_said_of_the_training(converted):
    made, domain = converted, converted.domain
    assert made.target == "voxel"
    assert made.architecture.preset == "paper"
    assert made.architecture.width == WIDTH
    assert domain.voxel_size * 2048 == 75
    # 8.9e6 Msun in TNG's own table of its gravity-only run.
    assert domain.particle_mass / 0.6774 == pytest.approx(8.9e6, rel=0.01)
    assert domain.particle_mass * 1820**3 == pytest.approx(0.3089 * CRITICAL_DENSITY * 75**3)
    assert made.normalisation.target == (8.750728, 0.60161114)
    claimed = {name for key in made.provenance["sources"] for name in key.split(", ")}
    unsaid = set(vars(domain)) - claimed
    assert unsaid == {"log_vmax", "history"}, "every fact says where it is from"


@pytest.fixture
def refused(tmp_path):
    def check(path, *words, code):
        out = tmp_path / "out.safetensors"
        with pytest.raises(MockgalError) as caught:
            convert_checkpoint(path, out)
        error = caught.value
        assert error.exit_code == code, error
        assert error.fix
        assert str(path) in error.where
        assert "\n" not in str(error)
        assert "weights_only" not in str(error)
        text = str(error).replace(str(path), "")  # which has the name of the test in it
        for word in words:
            assert word in text, error
        assert not out.exists()
        return error

    return check


@pytest.mark.fault(62)
@pytest.mark.parametrize(("old", "where"), [(False, "state_dict"), (True, "hparams")])
@pytest.mark.slow_but("False")
def test_a_pickle_that_executes(tmp_path, refused, monkeypatch, old, where):
    """Whatever the environment says to torch."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    mark = tmp_path / "it went off"
    values = checkpoint(**{where: {"a": Bomb(mark)}})
    refused(save(tmp_path / "a.ckpt", values, old), "a Python object (getattr)", code=4)
    assert not mark.exists()


@pytest.mark.fault(62)
def test_a_plain_pickle(tmp_path, refused):
    import pickle

    mark, path = tmp_path / "it went off", tmp_path / "a.ckpt"
    for protocol in range(6):
        path.write_bytes(pickle.dumps({"state_dict": Bomb(mark)}, protocol=protocol))
        refused(path, code=4 if protocol > 1 else 3)
    assert not mark.exists()


@pytest.mark.slow
def test_objects_of_other_classes(tmp_path, refused):
    """As newer versions of Lightning keep some: harmless perhaps, but code that we do not have."""
    path = save(tmp_path / "a.ckpt", checkpoint(callbacks={"x": np.float64(3.0)}), False)
    refused(path, "numpy", "convert-published-weights.md", code=4)


def altered(change):
    state = published_state()
    change(state)
    return checkpoint(state_dict=state)


LAYOUTS = {
    "no state": ({"model": published_state()}, "no state_dict"),
    "no mapping": ([1, 2], "list"),
    "renamed": (
        altered(lambda s: s.update({"_model.fc3.bias": s.pop("_model.fc2.bias")})),
        "no _model.fc2.bias; besides _model.fc3.bias",
    ),
    "double": (altered(lambda s: s.update({"_model.fc2.bias": torch.zeros(1).double()})), "F64"),
    "shape": (altered(lambda s: s.update({"_model.fc2.bias": torch.zeros(2)})), "[2]"),
    "nan": (altered(lambda s: s["_model.fc2.bias"].fill_(torch.nan)), "NaN"),
    "channels": (
        altered(
            lambda s: s.update({"_model.layer1.0.conv1.weight": torch.zeros(WIDTH, 1, 7, 7, 7)})
        ),
        "1 channels",
    ),
    "expanded": (
        altered(lambda s: s.update({"_model.fc2.bias": torch.zeros(1).expand(1 << 40)})),
        "not a plain tensor",
    ),
    "sparse": (altered(lambda s: s.update({"_model.fc2.bias": torch.eye(3).to_sparse()})), "plain"),
    "text": (altered(lambda s: s.update({"_model.fc2.bias": "x"})), "not a plain tensor"),
}


@pytest.mark.parametrize(
    "layout",
    [
        name if name in ("no state", "renamed") else pytest.param(name, marks=pytest.mark.slow)
        for name in LAYOUTS
    ],
)
@pytest.mark.slow_but("renamed")
def test_other_layouts(tmp_path, refused, layout):
    values, words = LAYOUTS[layout]
    refused(save(tmp_path / "a.ckpt", values, False), words, code=3)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.slow_but("False")
def test_cut_short(tmp_path, refused, old):
    path = save(tmp_path / "a.ckpt", checkpoint(), old)
    content = path.read_bytes()
    for size in (0, 10, len(content) - 100):
        path.write_bytes(content[:size])
        refused(path, code=4 if old and size == 10 else 3)  # the start of some pickle


@pytest.mark.fault(68)
def test_compressed(tmp_path, refused, exit_code):
    path = tmp_path / "a.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(1 << 24))
    refused(path, "compressed", code=exit_code)


@pytest.mark.fault(67)
def test_a_member_that_declares_petabytes(tmp_path, refused, exit_code):
    path = tmp_path / "a.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"x" * 100)
        archive.filelist[0].file_size = 3 << 53
    refused(path, str(3 << 53), code=exit_code)


@pytest.mark.fault(67)
def test_an_old_file_that_declares_gigabytes(tmp_path, refused, exit_code):
    """The number of values is in the pickle, which only torch can read: memory is bounded."""
    count, most = ((b"J" + n.to_bytes(4, "little")) for n in (70_000, 0x7FFFFFF0))
    values = checkpoint(state_dict={"x": torch.zeros(70_000)})
    path = save(tmp_path / "a.ckpt", values, True)
    content = path.read_bytes()
    assert content.count(count) == 2  # of the storage, of the tensor
    path.write_bytes(content.replace(count, most))
    refused(path, "memory", code=exit_code)


def test_a_file_that_takes_for_ever(tmp_path, refused, monkeypatch):
    path = save(tmp_path / "a.ckpt", checkpoint(), False)
    monkeypatch.setattr(module, "SECONDS", 0.01)
    refused(path, "does not end within 0.01 s", code=4)


def test_the_process_that_reads_cannot_start(tmp_path, refused, monkeypatch):
    path = save(tmp_path / "a.ckpt", checkpoint(), False)
    monkeypatch.setattr(module.sys, "executable", str(tmp_path / "none"))
    refused(path, "cannot be started", code=6)


def test_the_output_is_looked_at_first(tmp_path):
    path = save(tmp_path / "a.ckpt", checkpoint(), False)
    before = path.read_bytes()
    for out, code in ((path, 2), (tmp_path / "no" / "w.safetensors", 5)):
        with pytest.raises(MockgalError) as caught:
            convert_checkpoint(path, out, overwrite=True)
        assert caught.value.exit_code == code
    assert path.read_bytes() == before


def run(capsys, *words):
    with pytest.raises(SystemExit) as caught:
        main(["weights", *map(str, words)])
    return caught.value.code, *capsys.readouterr()


@pytest.mark.slow
def test_commands(tmp_path, capsys):
    path, out = save(tmp_path / "a.ckpt", checkpoint(), False), tmp_path / "w.safetensors"
    code, said, errors = run(capsys, "convert", path, "--out", out)
    assert (code, errors) == (0, "")
    assert "dm2gal-tng100-1: network paper of width 4" in said
    assert "source        origin: Pylians" in said
    assert 'citation      ["arXiv:2012.00186"]' in said
    assert said.endswith(f"wrote         {out}\n")
    assert run(capsys, "convert", path, "--out", out)[0] == 2
    code, shown, errors = run(capsys, "show", out)
    assert (code, errors) == (0, "")
    assert shown == said.removesuffix(f"wrote         {out}\n")
    code, text, errors = run(capsys, "show", out, "--json")
    assert (code, errors) == (0, "")
    assert json.loads(text).items() >= read_weights(out).describe().items()
    code, _, errors = run(capsys, "show", path)
    assert code == 4
    assert "`mockgal weights convert`" in errors
    code, _, errors = run(capsys, "show", "nowhere")
    assert code == 2
    assert "mockgal weights list" in errors


def test_listing(mockgal_command):
    result = mockgal_command("weights", "list")
    assert result.returncode == 0
    names = [line.split(":")[0] for line in result.stdout.splitlines() if line[0] != " "]
    assert names == [found.header.name for found in shipped_weights()]


@pytest.mark.slow
def test_a_hostile_checkpoint_in_the_command(tmp_path, mockgal_command):
    mark = tmp_path / "it went off"
    path = save(tmp_path / "a.ckpt", checkpoint(state_dict=Bomb(mark)), False)
    result = mockgal_command("weights", "convert", path, "--out", "w.safetensors")
    assert result.returncode == 4
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"mockgal: error[E401] {path}: found a pickle")
    assert [p.name for p in tmp_path.iterdir()] == ["a.ckpt"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the other process in /proc")
@pytest.mark.slow_but("0.0")
@pytest.mark.parametrize("delay", [0.0, 1.5])
def test_kill_9_leaves_nothing(delay, tmp_path):
    """Neither beside the output nor among temporary files, while the other process reads."""
    torch.save({"state_dict": published_state()}, tmp_path / "published.ckpt")
    for name in ("out", "tmp"):
        tmp_path.joinpath(name).mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "mockgal", "weights", "convert", "published.ckpt",
         "--out", "out/w.safetensors"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )  # fmt: skip
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (found := children.read_text().split()):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(delay)
    process.kill()
    assert process.wait() == -9
    end = time.monotonic() + 30
    while runs(found[0]) and time.monotonic() < end:
        time.sleep(0.05)
    assert not runs(found[0])  # it ends, too
    for name in ("out", "tmp"):
        assert not list(tmp_path.joinpath(name).iterdir())


def runs(process):
    """Whether a process is there, and not only its entry for a parent that does not ask."""
    try:
        return Path("/proc", process, "cmdline").read_bytes() != b""
    except OSError:
        return False
