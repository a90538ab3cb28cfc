"""What people see of an answer: each screen draws one of the commands' JSON objects."""
