"""Contracts that any reader, painter or writer must pass, and tiny synthetic universes."""

from .contracts import painter_contract, reader_contract, writer_contract
from .subfind import COSMOLOGY, write_arepo, write_gadget4
from .universes import synthetic_pair

__all__ = [
    "COSMOLOGY",
    "painter_contract",
    "reader_contract",
    "synthetic_pair",
    "write_arepo",
    "write_gadget4",
    "writer_contract",
]
