"""Whether mocks are as they were written, and whether they come out the same again."""
