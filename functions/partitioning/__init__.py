"""Cut a large upload into partitions, and commit their results as one batch."""
