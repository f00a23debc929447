"""From the box to the survey: where a telescope sees the galaxies."""
