"""Small synthetic runs, with catalogues and snapshots as Gadget-4 and AREPO write them."""

from .run import COSMOLOGY as COSMOLOGY
from .write import write_arepo as write_arepo
from .write import write_gadget4 as write_gadget4
