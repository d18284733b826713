"""Tests of mdcheck; run them with `python3 -m unittest discover -s tests -t .`."""
