"""Small tools that know nothing of models: Arrow arrays, threads."""
