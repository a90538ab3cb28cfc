"""The champion's data and new labels in: a snapshot, a challenger and a decision out."""
