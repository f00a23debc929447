"""Training inside batch jobs: one process, whatever the batch system says of the job."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Each case in a process of its own, forked from one that has imported Lightning.
CODE = """
import json, os, sys, traceback
from mockgal.errors import MockgalError
from mockgal.training.devices import fabric_of, is_first_process
from mockgal.training.options import TrainingOptions

def say():
    options = TrainingOptions(seed=1, accelerator="cpu", devices=1)
    try:
        fabric_of(options, launch=False)
        fabric = fabric_of(options)
        print("ok", fabric.world_size, fabric.global_rank, is_first_process())
    except MockgalError as error:
        print(error.exit_code, error)

import lightning.fabric
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.environ.update(json.loads(line))
        sys.stderr = sys.stdout
        try:
            say()
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    print("--", flush=True)
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What training says in an environment: its output, and beside it its warnings."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "train.py").write_text(CODE)
    with subprocess.Popen(
        [sys.executable, "-u", str(folder / "train.py")],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:

        def answer(environment):
            server.stdin.write(json.dumps(environment) + "\n")
            server.stdin.flush()
            lines = []
            while (line := server.stdout.readline()) != "--\n":
                assert line, "training ended its process"
                lines.append(line)
            return "".join(lines)

        yield answer


BATCH = {"SLURM_JOB_ID": "1234", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0"}


@pytest.mark.parametrize(
    "environment",
    [
        {**BATCH, "SLURM_NTASKS": "1", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"},
        {**BATCH, "SLURM_NTASKS": "4", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"},
        {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "NODE_RANK": "1"},  # wrote no weights
        {"PBS_JOBID": "1", "PBS_NP": "16", "MASTER_ADDR": "10.1.2.3", "MASTER_PORT": "1"},
    ],
    ids=lambda environment: "-".join(list(environment)[:4:3]),
)
@pytest.mark.slow
def test_one_process_in_a_batch_job(said, environment):
    text = said(environment)
    assert text.splitlines()[-1] == "ok 1 0 True"
    assert ("SLURM_NTASKS is 4" in text) == (environment.get("SLURM_NTASKS") == "4")


@pytest.mark.parametrize(
    ("environment", "program", "variable"),
    [
        (
            {**BATCH, "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"},
            "srun",
            "SLURM_STEP_NUM_TASKS",
        ),
        (
            {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "4", "RANK": "1", "LOCAL_RANK": "1"},
            "torchrun",
            "WORLD_SIZE",
        ),
        (
            {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"},
            "mpirun",
            "OMPI_COMM_WORLD_SIZE",
        ),
        ({"JSM_NAMESPACE_SIZE": "2", "JSM_NAMESPACE_RANK": "1"}, "jsrun", "JSM_NAMESPACE_SIZE"),
    ],
    ids=["srun", "torchrun", "mpirun", "jsrun"],
)
@pytest.mark.slow
def test_several_processes_for_one_device_are_refused(said, environment, program, variable):
    text = said(environment)
    assert text.startswith("2 training processes")
    assert f"that {program} started" in text
    assert f"env -u {variable}" in text


@pytest.mark.slow
def test_the_way_out_of_several_processes_works(said):
    environment = {**BATCH, "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}
    (variable,) = re.findall("env -u ([A-Z_]+)", said(environment))
    environment.pop(variable)
    assert said(environment).splitlines()[-1] == "ok 1 0 True"
