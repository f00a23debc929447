"""Power spectra by Pylians, for tests/statistics/power/test_measure_power.py to compare with.

    python -m venv /tmp/pylians && /tmp/pylians/bin/pip install "Cython<3" Pylians
    /tmp/pylians/bin/python tests/reference/pylians_power.py

writes pylians_power.json beside this file. Pylians (Villaescusa-Navarro 2018, ascl:1811.008; 0.12)
takes fields of single precision. The field is made of whole numbers, so that all versions of NumPy
make the same one; the test imports `field` from here.
"""

import json
from pathlib import Path

import numpy as np

BOX_SIZE = 50.0
CASES = [(32, "CIC", 2), (32, "None", 0), (32, "PCS", 1), (27, "TSC", 2)]


def field(size):
    """Scattered masses on waves of several lengths, most along the third axis; (N, N, N)."""
    x, y, z = (index.astype(np.uint64) for index in np.indices((size, size, size)))
    number = x * np.uint64(73856093) ^ y * np.uint64(19349663) ^ z * np.uint64(83492791)
    for _ in range(3):  # the mixing of splitmix64
        number ^= number >> np.uint64(30)
        number *= np.uint64(0xBF58476D1CE4E5B9)
    mass = (number >> np.uint64(54)).astype(np.int64)
    for waves, index, high in ((2, x, 400), (3, y, 300), (1, z, 800), (5, x + z, 200)):
        phase = (waves * index.astype(np.int64)) % size
        mass += high * np.abs(2 * phase - size) // size
    return mass.astype(np.float64)


def main():
    import Pk_library

    results = []
    for size, assignment, axis in CASES:
        mass = field(size)
        delta = (mass / mass.mean() - 1.0).astype(np.float32)
        found = Pk_library.Pk(delta, BOX_SIZE, axis, assignment, 1, verbose=False)
        results.append(
            {
                "size": size,
                "assignment": assignment,
                "axis": axis,
                "total_mass": float(mass.sum()),
                "k": found.k3D.tolist(),
                "modes": found.Nmodes3D.tolist(),
                **{f"P{2 * i}": found.Pk[:, i].tolist() for i in range(3)},
            }
        )
    text = json.dumps({"pylians": "0.12", "box_size": BOX_SIZE, "results": results})
    Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
