"""Model and inputs -> Trace: every op of one forward pass, on shapes alone."""

from resflops.tracing.trace import check_module, resolve_inputs, trace

__all__ = ["check_module", "resolve_inputs", "trace"]
