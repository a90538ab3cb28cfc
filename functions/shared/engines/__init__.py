"""Fitted pipelines compiled into arrays, and what scores with them."""
