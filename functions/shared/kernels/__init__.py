"""Inner loops in C, and what calls them; each has a substitute in Python that gives the same."""
