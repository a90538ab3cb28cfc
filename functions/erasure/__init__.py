"""People's rows out of everything stored of a model, for good, and a record of it that names nobody."""
