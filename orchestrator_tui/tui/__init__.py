"""The dashboard: a full-screen Textual app over an `EngineClient`."""
