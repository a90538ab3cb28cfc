"""Inner loops in C and their callers; Python substitutes give the same results."""
