"""The row contract: files of rows in, typed rows and rejected rows out, none lost. Enter by `service`."""
