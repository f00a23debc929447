"""Several outputs that get their names together: all of them, or none."""

import os

import pytest

from mockgal.errors import OutputError, OutputExistsError
from mockgal.system.files import atomic
from mockgal.system.files.atomic import atomic_folder, atomic_output, together


def names(folder):
    return sorted(os.listdir(folder))


def write(path, text, *, overwrite=False):
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(text)


@pytest.fixture
def pair(tmp_path):
    return tmp_path / "a.fits", tmp_path / "b.hdf5"


def write_both(pair, then=lambda: None, **options):
    with together(*pair):
        for path in pair:
            write(path, "new", **options)
        then()


def test_they_appear_at_the_end(pair, tmp_path):
    write_both(pair, lambda: [pytest.fail("too early") for path in pair if path.exists()])
    assert [path.read_text() for path in pair] == ["new", "new"]
    assert names(tmp_path) == ["a.fits", "b.hdf5"]


def test_none_appears_if_the_block_fails(pair, tmp_path):
    with pytest.raises(ZeroDivisionError):
        write_both(pair, lambda: 1 / 0)
    assert names(tmp_path) == []


@pytest.mark.parametrize("there", [(), (0,), (1,), (0, 1)])
def test_none_changes_if_one_cannot_be_put_in_place(pair, tmp_path, there, monkeypatch):
    for k in there:
        pair[k].write_text("old")
    real = os.replace

    def replace(source, target):
        if target == pair[1] and source.read_text() == "new":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(atomic.os, "replace", replace)
    with pytest.raises(OutputError, match=r"b\.hdf5"):
        write_both(pair, overwrite=True)
    assert names(tmp_path) == sorted(pair[k].name for k in there)
    assert {pair[k].read_text() for k in there} <= {"old"}


def test_a_file_that_appears_meanwhile_is_kept_and_the_others_are_not_written(pair, tmp_path):
    with pytest.raises(OutputExistsError):
        write_both(pair, lambda: pair[1].write_text("of somebody else"))
    assert names(tmp_path) == ["b.hdf5"]
    assert pair[1].read_text() == "of somebody else"


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_folders_too(pair, tmp_path, there, fails, monkeypatch):
    folder = tmp_path / "hats"
    if there:
        folder.mkdir()
        (folder / "part").write_text("old")
    if fails:
        real = os.replace

        def replace(source, target):
            if target == pair[1]:
                raise OSError(28, "No space left on device")
            real(source, target)

        monkeypatch.setattr(atomic.os, "replace", replace)

    def run():
        with together(folder, pair[1]):
            with atomic_folder(folder, overwrite=there, is_ours=lambda path: True) as temporary:
                (temporary / "part").write_text("new")
            write(pair[1], "new")

    if fails:
        with pytest.raises(OutputError, match=r"b\.hdf5"):
            run()
        assert names(tmp_path) == ["hats"] * there
    else:
        run()
        assert names(tmp_path) == ["b.hdf5", "hats"]
    if folder.exists():
        assert (folder / "part").read_text() == ("old" if fails else "new")


def test_they_are_locked(pair):
    with together(*pair):
        pid = os.fork()
        if pid == 0:
            try:
                write(pair[1], "another run")
                os._exit(1)
            except OutputError:
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
