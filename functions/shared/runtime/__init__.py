"""Shared parts of the functions' entry points: settings, logs and the queue."""
