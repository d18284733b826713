"""The engine: runs pipelines, asks agents, measures what is done. asyncio only."""
