"""Pure rules and documents: no AWS, no MLflow, no clock, no chance but what is passed in."""
