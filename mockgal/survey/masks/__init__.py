"""Footprints in the formats of surveys: coverage maps, polygons, and someone's randoms."""
