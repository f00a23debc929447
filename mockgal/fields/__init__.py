"""The field room: mass on grids, and the waves of grids."""
