"""The demo: a year of flights, played against the embedded AWS."""
