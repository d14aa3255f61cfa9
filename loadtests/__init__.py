"""The load generator: what Locust runs. `harness load` prepares it, starts it, judges after it."""
