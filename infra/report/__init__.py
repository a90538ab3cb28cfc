"""The report: one self-contained page on a model's history.

It is made from the model's stored documents.
"""
