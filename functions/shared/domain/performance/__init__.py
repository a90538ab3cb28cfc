"""Performance: what labels say of a version, and what is thought before they come."""
