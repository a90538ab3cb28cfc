"""The outside world behind the ports: S3, MLflow, EventBridge, CloudWatch."""
