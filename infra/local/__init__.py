"""The embedded AWS: run the project's template on one machine."""
