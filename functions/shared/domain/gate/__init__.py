"""The gate: whether a challenger may enter a rollout."""
