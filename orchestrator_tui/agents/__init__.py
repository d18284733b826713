"""Claude sessions, and the lines they may not cross."""
