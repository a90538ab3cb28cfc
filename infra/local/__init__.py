"""The embedded AWS: the project's template on one machine."""
