"""Pylians' bispectrum of a small non-Gaussian field, for test_measure_bispectrum.py.

    PYLIANS_PYTHON tests/reference/pylians_bispectrum.py

writes pylians_bispectrum.json beside itself. Pylians 0.12 needs NumPy < 2 and Cython < 3, and so
an environment of its own. The field is made of whole numbers, so that NumPy of any version makes it
the same to the last bit; its transform is left to each code.
"""

import json
import math
from pathlib import Path

import numpy as np

SIZE, BOX_SIZE = 48, 60.0
CASES = {"scalene": (0.9, 1.2, 9), "near isosceles": (0.8, 0.85, 7)}  # k1, k2 [h/Mpc], angles
HERE = Path(__file__).with_suffix(".json")


def field() -> np.ndarray:
    """Overdensity, float32, shape (SIZE, SIZE, SIZE): skewed, with structure on all scales."""
    # Numerical Recipes' 32-bit congruential generator, in whole numbers.
    state, noise = 1, np.empty(SIZE**3, dtype=np.int64)
    for i in range(SIZE**3):
        state = (1664525 * state + 1013904223) % 2**32
        noise[i] = state >> 24
    noise = noise.reshape((SIZE,) * 3) - 128
    smooth = noise
    for axis in range(3):  # (1, 2, 1) along each axis, twice
        for _ in range(2):
            smooth = np.roll(smooth, 1, axis) + 2 * smooth + np.roll(smooth, -1, axis)
    mass = (smooth // 1024 + 200) ** 2  # positive, and quadratic in the noise
    return (mass / (mass.sum() / mass.size) - 1.0).astype(np.float32)


def main() -> None:
    import Pk_library

    delta, found = field(), {}
    for name, (k1, k2, angles) in CASES.items():
        theta = np.linspace(0.0, math.pi, angles)
        result = Pk_library.Bk(delta.copy(), BOX_SIZE, k1, k2, theta, "CIC", 1)
        found[name] = {
            key: getattr(result, key).tolist() for key in ("B", "Q", "Pk", "k", "triangles")
        }
    found["checksum"] = int(delta.view(np.int32).astype(np.int64).sum())
    HERE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
