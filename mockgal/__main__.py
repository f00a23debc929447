"""``python -m mockgal``: the same as ``mockgal``."""

from .cli import main

main()
