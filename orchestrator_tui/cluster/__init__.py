"""The queue of a cluster's projects, kept by procrastinate in the same PostgreSQL database."""
