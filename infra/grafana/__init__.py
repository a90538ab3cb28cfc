"""Grafana: a page for the fleet, and one for a model.

They ask CloudWatch or Prometheus, and are made from the catalogue of metrics.
"""
