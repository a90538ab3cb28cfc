"""What each library's models need here: a module and a line in `table.py` for every one."""
