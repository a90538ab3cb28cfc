"""The flights story: a year of departures played against the embedded AWS."""
