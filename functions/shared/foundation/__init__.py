"""Small tools that are independent of models: Arrow arrays, threads."""
