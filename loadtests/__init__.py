"""The load generator: what Locust runs. `harness load` prepares it, starts it and judges after it."""
