"""Estimate the cost of Everscore on AWS from measured speed and listed prices."""
