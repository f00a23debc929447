"""Every pin of constraints.txt has hashes, and so has all that is installed beside it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}( \\)?$")


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def hashed():
    """Versions of packages in requirements, each with one hash or more."""
    found = {}
    for file in ("wheels.txt", "source.txt"):
        text = (ROOT / "requirements" / file).read_text()
        for block in re.findall(r"^[A-Za-z][^\n]*(?:\n    [^\n]*)+", text, re.M):
            first, *hashes = block.split("\n")
            name, version = first.removesuffix(" \\").split("==")
            assert all(HASH.search(line) for line in hashes), name
            found[plain(name)] = version
    return found


def test_every_pin_has_hashes():
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    versions = hashed()
    for name, version in pins.items():
        assert versions[plain(name)].partition("+")[0] == version, name
    compilers = {"setuptools", "setuptools-scm", "extension-helpers", "cython", "numpy"}
    assert compilers <= versions.keys()  # of halotools
