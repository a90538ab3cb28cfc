"""Score a batch: write scored rows, quarantined rows and one manifest."""
