"""Write small synthetic runs: catalogues and snapshots of Gadget-4 and AREPO."""

from .run import COSMOLOGY as COSMOLOGY
from .write import write_arepo as write_arepo
from .write import write_gadget4 as write_gadget4
