"""Implementations of the ports: S3, MLflow, EventBridge, CloudWatch."""
