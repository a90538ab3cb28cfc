"""The rollout: whether a challenger may have more of the rows."""
