"""Subfind catalogues of Gadget-4 and AREPO."""
