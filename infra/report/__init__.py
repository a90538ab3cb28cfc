"""The report: one self-contained page that tells a model's story from its stored documents."""
