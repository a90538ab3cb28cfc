"""The start and the commit of a batch, and how its rejected rows are written."""
