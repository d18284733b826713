"""The engine over HTTP: a REST API with a stream of events, and a client that front ends use as an engine."""
