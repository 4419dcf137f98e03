"""Model and inputs -> Trace: every op of one forward pass, on shapes alone."""

from resflops.tracing.trace import trace

__all__ = ["trace"]
