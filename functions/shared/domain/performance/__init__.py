"""Performance: what labels say of a version, and estimates before them."""
