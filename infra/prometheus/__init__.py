"""Prometheus with Everscore: what it scrapes, and its alerting rules."""
