"""Channels to a person."""
