"""The console front end: runs a project in plain lines or progress bars, and answers questions about projects."""
