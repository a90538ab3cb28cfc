"""One batch in: scored rows, quarantined rows and one manifest out."""
