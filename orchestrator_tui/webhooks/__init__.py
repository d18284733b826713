"""Tells other programs by HTTP what calls for a person."""
