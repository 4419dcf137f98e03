"""Whether other threads could run the model, or draw random numbers, while it is counted."""

import threading

__all__ = ["are_others_running"]


def are_others_running() -> bool:
    """Whether the process has threads besides this one that may run the caller's code.

    A notebook, a debugger, a progress bar or a sweep has threads that do not.
    """
    if threading.active_count() == 1:
        return False
    own = threading.current_thread()
    return any(thread is not own and not _serves(thread) for thread in threading.enumerate())


_SERVERS = frozenset(
    (
        "IPython", "ipykernel", "jupyter_client", "zmq", "tornado", "tqdm", "rich", "debugpy", "pydevd",
        "_pydevd_bundle", "prompt_toolkit", "pytest_timeout", "xdist", "execnet", "resflops",
    )
)  # fmt: skip


_COMPILER = "torch._inductor."
"""Where torch has the threads that listen to the processes of its compiler, up to torch 2.6 from the first
torch.compile on."""


def _serves(thread: threading.Thread) -> bool:
    """Whether a thread belongs to a package that runs no model."""
    target = getattr(thread, "_target", None)
    modules = (type(thread).__module__, getattr(target, "__module__", None) or "")
    return any(module.partition(".")[0] in _SERVERS or module.startswith(_COMPILER) for module in modules)
