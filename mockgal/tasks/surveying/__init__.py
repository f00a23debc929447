"""From mocks to the files of a survey, as a recipe describes it."""
