"""Stellar masses of subhalos by rank, and by published relations to halo mass."""
