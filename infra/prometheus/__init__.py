"""Prometheus with Everscore: what it scrapes, and the rules that it calls people by."""
