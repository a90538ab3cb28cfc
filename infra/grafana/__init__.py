"""Grafana: a page for the fleet and one for a model, on CloudWatch or on Prometheus, made from the catalogue of metrics."""
