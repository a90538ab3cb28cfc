"""What operates the functions: the command, the embedded AWS, the demo."""
