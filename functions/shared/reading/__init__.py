"""Read files of rows: every row comes out typed or rejected. Start at `service`."""
