"""The scripts of the page on clusters run as they are there, with what Slurm would set."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs_blocks import blocks_of

import mockgal
from mockgal.errors import listening
from mockgal.recipe import check, read_yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/parts-on-a-cluster.md"
RECIPE = "sim: dark.hdf5\npainter: hod\nseed: 1\ndrop_bad: true\nout: mock.fits\n"
PROGRAM = '#!/bin/bash\nexec {} "$@"\n'
# Of the tasks that it is to start, one.
SRUN = '#!/bin/bash\n[[ $1 == --ntasks=* ]] && shift\nexec "$@"\n'


@pytest.fixture
def folder(tmp_path, monkeypatch, demo_bundle):
    """The files of the page, a recipe, and the programs that scripts call."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(demo_bundle, "dark.hdf5")
    Path("mock.yaml").write_text(RECIPE)
    for block in blocks_of(PAGE):
        if block.file:
            Path(block.file).write_text(block.text)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("mockgal", "dask"):
        (programs / name).write_text(PROGRAM.format(f"{sys.executable} -m {name}"))
    (programs / "srun").write_text(SRUN)
    for path in programs.iterdir():
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def run(script, **variables):
    subprocess.run(["bash", "-n", script], check=True)
    environment = os.environ | {f"SLURM_{key.upper()}": str(v) for key, v in variables.items()}
    result = subprocess.run(
        ["bash", script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


def check_mock():
    """It is that of the recipe, built at once."""
    text = Path("mock.fits").read_bytes()
    with listening(quiet=True):
        mockgal.build(check(read_yaml(Path("mock.yaml")) | {"overwrite": True}, "a test"))
    assert Path("mock.fits").read_bytes() == text
    assert not list(Path().glob("*.parts-*"))


def test_the_page_has_the_files(folder):
    there = {path.name for path in folder.iterdir() if path.is_file()}
    assert {"node.sh", "parts.sh", "allocation.sh", "mock.smk", "mock.nf"} <= there
    for script in ("node.sh", "parts.sh", "allocation.sh"):
        subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.slow
def test_a_node(folder):
    run("node.sh", cpus_per_task=2)
    check_mock()


@pytest.mark.slow_but("1 job")
@pytest.mark.parametrize("jobs", [1, 2], ids=["1 job", "2 jobs"])
def test_an_array(folder, jobs):
    for number in range(1, jobs + 1):
        run("parts.sh", array_task_id=number, array_task_count=jobs, cpus_per_task=1)
    subprocess.run(["mockgal", "merge", "mock.fits"], check=True, capture_output=True)
    check_mock()


@pytest.mark.slow
def test_an_allocation(folder):
    run("allocation.sh", ntasks=3, job_id=1)
    check_mock()
