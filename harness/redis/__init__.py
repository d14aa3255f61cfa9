"""Redis for the backend's rate limits: in a container, or one that somebody else runs."""
