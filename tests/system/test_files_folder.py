"""A folder appears whole under its name, or not at all."""

import errno
import os

import pytest

from mockgal.errors import OutputError, OutputExistsError, UsageError
from mockgal.system.files.atomic import atomic_folder


def is_ours(folder):
    return os.listdir(folder) == ["ours"]


def fill(path, text="new", **keywords):
    with atomic_folder(path, **{"overwrite": False, "is_ours": is_ours, **keywords}) as folder:
        (folder / "ours").write_text(text)


def test_it_appears_whole(tmp_path):
    fill(tmp_path / "out")
    assert (tmp_path / "out/ours").read_text() == "new"
    assert os.listdir(tmp_path) == ["out"]


def fail(path, **keywords):
    with atomic_folder(path, **{"overwrite": False, "is_ours": is_ours, **keywords}) as folder:
        (folder / "ours").write_text("half")
        raise ZeroDivisionError


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fail(tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_a_failure_leaves_the_former_one(tmp_path):
    fill(tmp_path / "out", "old")
    with pytest.raises(ZeroDivisionError):
        fail(tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/ours").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_it_is_replaced_as_a_whole_only_if_asked_for(tmp_path):
    fill(tmp_path / "out", "old")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        fill(tmp_path / "out")
    assert (tmp_path / "out/ours").read_text() == "old"
    fill(tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/ours").read_text() == "new"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("works_again", [True, False])
def test_the_former_one_is_kept_where_the_new_one_cannot_take_its_place(
    tmp_path, monkeypatch, works_again
):
    fill(tmp_path / "out", "old")
    rename, calls = os.rename, []

    def failing(source, target):
        calls.append(target)
        if len(calls) == 2 or (len(calls) == 3 and not works_again):
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OutputError):
        fill(tmp_path / "out", overwrite=True)
    (left,) = os.listdir(tmp_path)
    assert (left == "out") == works_again
    assert (tmp_path / left / "ours").read_text() == "old"


def test_other_folders_and_files_are_never_replaced(tmp_path):
    fill(tmp_path / "out")
    (tmp_path / "out/thesis.tex").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    for name in ("out", "file", "link"):
        with pytest.raises(OutputError):
            fill(tmp_path / name, overwrite=True)
    assert (tmp_path / "out/thesis.tex").read_text() == "mine"


def test_an_input_within_it_is_refused(tmp_path):
    fill(tmp_path / "out")
    with pytest.raises(UsageError, match="holds the input"):
        fill(tmp_path / "out", overwrite=True, inputs=[tmp_path / "out/ours"])
    with pytest.raises(OutputError, match="mkdir -p"):
        fill(tmp_path / "none/out")


def test_what_a_killed_run_left_is_removed(tmp_path):
    left = tmp_path / f".out.{'0' * 32}.part"
    left.mkdir()
    (left / "half").write_text("half")
    with pytest.warns(match="cleaned up"):
        fill(tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]
