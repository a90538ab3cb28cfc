"""Turn the champion's data and new labels into a challenger and a decision."""
