"""The rehearsal: a scripted model behind a real Messages API on loopback."""
