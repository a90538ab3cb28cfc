"""What several functions need: the pure domain, the engines, the adapters."""
