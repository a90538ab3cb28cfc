"""What people see of an answer: each screen draws a command's JSON object."""
