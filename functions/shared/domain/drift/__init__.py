"""Drift: what a batch looks like, held against what the champion was trained on."""
