"""Pure rules and documents.

They know neither AWS nor MLflow; clock and chance are passed in.
"""
