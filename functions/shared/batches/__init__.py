"""How a batch begins, and how its rejected rows are written."""
