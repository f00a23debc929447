"""Print what a mock holds: python catalogs/show.py mock.fits."""

import sys

from astropy.table import QTable

mock = QTable.read(sys.argv[1], hdu="GALAXIES")
for name in mock.colnames:
    if mock[name].dtype.kind == "f":
        mock[name].info.format = ".4g"
mock.pprint(max_lines=16, max_width=130)
