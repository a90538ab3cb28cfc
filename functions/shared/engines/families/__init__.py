"""Support for each library's models: one module, and one line in `table.py`."""
