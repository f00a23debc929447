"""Contracts of readers, painters, writers and statistics, and tiny synthetic universes."""

from .contracts import painter_contract, reader_contract, writer_contract
from .mocks import mock_reader_contract
from .statistics import statistic_contract
from .subfind import COSMOLOGY, write_arepo, write_gadget4
from .universes import synthetic_pair

__all__ = [
    "COSMOLOGY",
    "mock_reader_contract",
    "painter_contract",
    "reader_contract",
    "statistic_contract",
    "synthetic_pair",
    "write_arepo",
    "write_gadget4",
    "writer_contract",
]
