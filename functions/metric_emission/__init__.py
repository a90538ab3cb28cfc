"""Manifests and labels in: metrics, performance by day and alerts out."""
