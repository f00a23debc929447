"""Training inside batch jobs: one process, whatever the batch system says of the job."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import sys
from mockgal.errors import MockgalError
from mockgal.training.devices import fabric_of, is_first_process
from mockgal.training.options import TrainingOptions
options = TrainingOptions(seed=1, accelerator="cpu", devices=int(sys.argv[1]))
try:
    fabric_of(options, launch=False)
    fabric = fabric_of(options)
    print("ok", fabric.world_size, fabric.global_rank, is_first_process())
except MockgalError as error:
    print(error.exit_code, error)
"""


def said(tmp_path, environment, devices=1):
    (tmp_path / "train.py").write_text(CODE)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "train.py"), str(devices)],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


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
def test_one_process_in_a_batch_job(tmp_path, environment):
    done = said(tmp_path, environment)
    assert done.stdout == "ok 1 0 True\n"
    assert ("SLURM_NTASKS is 4" in done.stderr) == (environment.get("SLURM_NTASKS") == "4")


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
def test_several_processes_for_one_device_are_refused(tmp_path, environment, program, variable):
    text = said(tmp_path, environment).stdout
    assert text.startswith("2 training processes")
    assert f"that {program} started" in text
    assert f"env -u {variable}" in text


def test_the_way_out_of_several_processes_works(tmp_path):
    environment = {**BATCH, "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}
    (variable,) = re.findall("env -u ([A-Z_]+)", said(tmp_path, environment).stdout)
    environment.pop(variable)
    assert said(tmp_path, environment).stdout == "ok 1 0 True\n"
