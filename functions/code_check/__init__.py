"""Check before a deployment that new code reproduces recent scores."""
