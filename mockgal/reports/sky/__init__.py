"""Pictures of galaxies on the sky of a survey."""
