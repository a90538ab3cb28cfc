"""The `everscore` command: an operator's hand."""
