"""Folders for scratch files and for work that goes on: what is wrong with one is said as it is."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mockgal.errors import OutputError, UsageError
from mockgal.system.files.scratch import scratch_folder


def test_a_folder(tmp_path, monkeypatch):
    assert scratch_folder(tmp_path) == tmp_path
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert scratch_folder(None) == tmp_path


@pytest.mark.fault(87)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", r"no such folder, .*mkdir -p .*/none$"),
        ("file", r"a file, not a folder, .*name a folder"),
        ("file/below", r"a file, not a folder"),
        ("circle", r"a circle of links"),
        ("a\0b", r"null (byte|character)"),
    ],
)
def test_no_folder(name, words, tmp_path):
    tmp_path.joinpath("file").write_text("")
    tmp_path.joinpath("circle").symlink_to("circle")
    with pytest.raises(UsageError, match=words):
        scratch_folder(tmp_path / name)


@pytest.mark.fault(87)
def test_no_folder_of_the_system_has_room(monkeypatch):
    def full():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", full)
    with pytest.raises(OutputError, match=r"'/tmp'.*TMPDIR"):
        scratch_folder(None)


CLOSED = """
import json, os, sys
from pathlib import Path
from mockgal.errors import MockgalError
from mockgal.system.files.atomic import check_output
from mockgal.system.files.scratch import scratch_folder
from mockgal.painters.cnn.evaluation.tile_store import TileStore
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
said = []
for shut in map(Path, sys.argv[1:]):
    for take in (scratch_folder, TileStore, lambda path: check_output(path / "out.fits", False)):
        try:
            take(shut)
        except MockgalError as error:
            said.append([error.exit_code, str(error)])
print(json.dumps(said))
"""


@pytest.mark.fault(87)
def test_a_folder_that_is_closed_or_in_one_that_cannot_be_searched():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        os.chmod(folder, 0o755)
        shut = Path(folder, "shut")
        Path(shut, "there").mkdir(parents=True)
        shut.chmod(0)
        places = [shut / "there", shut / "none", shut]
        words = [sys.executable, "-c", CLOSED, *map(str, places)]
        done = subprocess.run(words, capture_output=True, text=True, cwd="/")
        shut.chmod(0o700)
    said = json.loads(done.stdout or "[]")
    assert len(said) == 9, done.stderr
    for code, message in said:
        assert code == 5
        assert "ermission" in message
        assert "may write to" in message or "permission to write" in message
