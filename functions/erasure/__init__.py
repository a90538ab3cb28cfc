"""Permanently erase people's rows from all that a model stored; keep a record."""
