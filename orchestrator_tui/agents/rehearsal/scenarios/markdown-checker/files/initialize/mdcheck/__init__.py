"""Finds dead relative links, missing anchors and duplicate headings in Markdown trees."""

__version__ = "0.1.0"
