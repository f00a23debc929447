"""FITS output compressed with gzip: the files of `mockgal.writers.fits`, byte for byte, inside.

astropy, fitsio (CFITSIO) and TOPCAT read such files as they read plain ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from ..errors import InternalError
from ..system.files.fits_checksum import Checksum, padded
from ..system.files.gzipped import compressed
from .fits import FITSWriter, Piece, primary_header, provenance_header, sealed
from .provenance import FileContent

if TYPE_CHECKING:
    from astropy.io import fits


class GzippedFITSWriter(FITSWriter):
    """Writer of FITS files compressed with gzip."""

    name = "fits.gz"
    extensions = (".fits.gz", ".fit.gz")
    compression = "always"

    def _write_hdus(
        self,
        file: BinaryIO,
        sizes: tuple[int, ...],
        rows: Callable[[], Iterator[Piece]],
        content: Callable[[], FileContent],
        table_header: Callable[[FileContent], fits.Header],
    ) -> None:
        """Write all HDUs in order: the rows are converted twice, the first time for their sum."""
        total = Checksum()
        size = _through(rows(), total.add)
        facts = content()
        json = facts.provenance.encode("ascii")
        text = Checksum()
        text.add(json)
        headers = (
            sealed(primary_header(), Checksum(), 0),
            sealed(table_header(facts), total, size),
            sealed(provenance_header(facts), text, len(json)),
        )
        if tuple(map(len, headers)) != sizes:
            raise InternalError(
                file.name, f"headers of {tuple(map(len, headers))} bytes", f"{sizes}", "report this"
            )
        with compressed(file) as output:
            output.write(headers[0])
            for header, pieces in ((headers[1], rows()), (headers[2], (json,))):
                output.write(header)
                size = _through(pieces, output.write)
                output.write(bytes(padded(size) - size))


def _through(pieces: Iterable[Piece], see: Callable[[Piece], object]) -> int:
    """Call ``see`` for each piece; return the bytes of all."""
    size = 0
    for piece in pieces:
        see(piece)
        size += len(piece)
    return size
