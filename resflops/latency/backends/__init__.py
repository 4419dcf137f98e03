"""What runs a model: torch itself, or a runtime that a model is exported to.

A backend gives the session steps, and neither session nor statistics nor tables notice which it was.
``support`` says what each takes and imports nothing; the modules that run something are imported when
something is measured. A new backend is an entry in ``support`` and a module like ``openvino``.
"""

from resflops.latency.backends.support import BACKENDS, BackendName, Support, check_supported, read_backend

__all__ = ["BACKENDS", "BackendName", "Support", "check_supported", "read_backend"]
