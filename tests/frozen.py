"""Imported last where lives are forked from: what is there by then is shared by all of them, and no garbage in any."""

from orchestrator_tui.tui.collector import settle_collector

settle_collector()
