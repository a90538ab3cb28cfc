"""Compile fitted pipelines into arrays, and score with those."""
