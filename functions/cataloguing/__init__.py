"""What was scored as tables: exactly what the standing manifests say."""
