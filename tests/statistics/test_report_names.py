"""Names of catalogues from their paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import UsageError
from mockgal.reports.names import names_of

PART = st.sampled_from(["a", "b", "mock.fits", "z$_0"])


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["hod.fits", "cnn.fits"], ["hod.fits", "cnn.fits"]),
        (["runs/one/mock.fits", "runs/two/mock.fits"], ["one/mock.fits", "two/mock.fits"]),
        (["x/1/m.fits", "x/2/m.fits", "k.fits"], ["1/m.fits", "2/m.fits", "k.fits"]),
        (["/data/run/", "./mock.fits"], ["run", "mock.fits"]),
        (["a/mock.fits", "b/c/../mock.fits"], ["a/mock.fits", "b/mock.fits"]),
        (["/", "/mock.fits"], ["/", "mock.fits"]),
    ],
)
def test_the_shortest_end_that_no_other_has(paths, expected):
    assert names_of(paths) == expected


@given(st.lists(st.lists(PART, min_size=1, max_size=4).map("/".join), min_size=1, unique=True))
def test_names_differ_and_end_their_paths(paths):
    names = names_of(paths)
    assert len(set(names)) == len(paths)
    assert all(
        ("/" + path).endswith("/" + name) or name.endswith(path)
        for path, name in zip(paths, names, strict=True)
    )


@pytest.mark.parametrize(
    ("paths", "labels", "said"),
    [
        (["a", "./a"], [], "twice"),
        (["a", "b"], ["one"], "1 labels for 2 paths"),
        (["a", "b"], ["x", "x"], "twice"),
        (["a"], [" "], "' '"),
    ],
)
def test_what_does_not_fit_is_refused(paths, labels, said):
    with pytest.raises(UsageError, match=said):
        names_of(paths, labels)


def test_labels():
    assert names_of(["a", "b"], ["x y", "$z$"]) == ["x y", "$z$"]
