"""Before new code scores: whether it scores what was scored last as it was."""
