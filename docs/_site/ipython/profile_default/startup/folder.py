"""Start a notebook in an empty folder with the checkout's `catalogs`, and show warnings plainly."""

import os
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(os.environ["MOCKGAL_CHECKOUT"])
os.chdir(tempfile.mkdtemp(prefix="mockgal-notebook-"))
Path("catalogs").symlink_to(ROOT / "catalogs")
sys.path.insert(0, str(ROOT))
warnings.formatwarning = lambda message, kind, *_, **__: f"{kind.__name__}: {message}\n"
