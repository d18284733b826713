"""Work items in Linear."""
