"""Inner loops in C, and what calls them."""
