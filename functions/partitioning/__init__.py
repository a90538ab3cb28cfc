"""An object too large for one function is cut into partitions; when all are scored, they are committed as one batch."""
