"""Write the hashes of all that is installed: `make hashes`. The argument is pip-compile's path.

Run with the Python of an environment that was installed from constraints.txt.
"""

import re
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

HERE = Path(__file__).parent
COMPILED = ("halotools",)
BUILDING = ("setuptools", "setuptools-scm", "extension-helpers")  # what compiles it, beside Cython
HEAD = """# Made by `make hashes`: do not edit. {}
# See README.md beside this file.
"""


def main() -> None:
    """Write wheels.txt and source.txt."""
    found = {d.name: d.version for d in distributions() if d.name not in ("mockgal", "pip")}
    lines = (HERE.parent / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    found |= {name: pins[name] for name in BUILDING}
    with tempfile.TemporaryDirectory() as folder:
        asked, out = Path(folder, "pins.in"), Path(folder, "pins.txt")
        asked.write_text("".join(f"{name}=={version}\n" for name, version in found.items()))
        options = ["--generate-hashes", "--allow-unsafe", "--no-header", "--no-annotate", "--quiet"]
        where = ["--no-emit-index-url", "--no-emit-find-links", "--output-file", str(out)]
        subprocess.run([sys.argv[1], *options, *where, str(asked)], check=True)
        blocks = re.findall(r"^[A-Za-z][^\n]*(?:\n    [^\n]*)*", out.read_text(), re.M)
    for name, about, compiled in (
        ("wheels.txt", "Ready-made packages, for Python 3.11 on Linux.", False),
        ("source.txt", "What is compiled, with what wheels.txt has.", True),
    ):
        chosen = [b for b in blocks if (b.split("==")[0] in COMPILED) is compiled]
        (HERE / name).write_text(HEAD.format(about) + "\n".join(chosen) + "\n")


if __name__ == "__main__":
    main()
