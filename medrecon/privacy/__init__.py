"""Nobody's name in any output: what a file may hold, and faces."""
