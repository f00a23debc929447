"""Catalogues of halotools."""
