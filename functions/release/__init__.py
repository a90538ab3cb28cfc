"""Decisions and evidence in: the one document that says which model is served."""
