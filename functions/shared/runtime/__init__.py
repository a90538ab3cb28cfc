"""What the functions' entry points share: settings, logs and the queue."""
