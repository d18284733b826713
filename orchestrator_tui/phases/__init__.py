"""The seven phases, a module each."""
