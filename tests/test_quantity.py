"""Sizes of memory as users write them."""

import pytest

from mockgal.errors import UsageError
from mockgal.quantity import memory_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2 GiB", 2 << 30),
        ("512MiB", 512 << 20),
        (" 1.5 GB ", 1_500_000_000),
        ("3 MB", 3_000_000),
        ("7 kB", 7000),
        (".5 KiB", 512),
        ("1e-3 GB", 1_000_000),
    ],
)
def test_sizes(text, size):
    assert memory_size("--memory", text) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", "2", "GiB", "2 gib", "2 TB", "-2 GiB", "0 MiB", "nan GiB", "inf GiB", "1e400 GB"),
        *("1e12 GB", "2 GiB 3", "2 Gi B", "0.1e-9 GB", "two GiB", "2\n GiB\n x", "٢ GiB"),
    ],
)
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match=r"--memory: found .* expected a number above 0 in kB, MB"):
        memory_size("--memory", text)
