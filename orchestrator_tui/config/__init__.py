"""Settings, folders and the files they live in."""
