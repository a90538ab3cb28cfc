"""The report: one self-contained page on a model's history, from its stored documents."""
