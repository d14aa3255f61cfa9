"""Servers in containers: started for a run, their logs kept, taken away whatever happens."""

from harness.containers.engine import require_engine
from harness.containers.service import Service, ServiceSpec

__all__ = ["Service", "ServiceSpec", "require_engine"]
