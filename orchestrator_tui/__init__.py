"""orchestrator-tui: from a sentence to finished, tested software, with a person in charge."""

__version__ = "0.1.0"
