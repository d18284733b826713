"""The dashboard in a browser: each tab is a terminal on a dashboard process of its own."""
