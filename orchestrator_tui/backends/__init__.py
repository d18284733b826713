"""Work trackers."""
