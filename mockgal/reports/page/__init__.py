"""A comparison as one page of HTML, with its figures and tables in files beside it."""
