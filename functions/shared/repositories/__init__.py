"""Stored documents by name: how they are found, read, and written once.

Pure over an `ObjectStore`.
"""
