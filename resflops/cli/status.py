"""The exit statuses of the commands."""

__all__ = ["CHECK_FAILED", "CLOSED_PIPE", "COULD_NOT_RUN", "DONE", "INTERRUPTED", "TERMINATED"]

DONE = 0
CHECK_FAILED = 1
COULD_NOT_RUN = 2
INTERRUPTED = 130
CLOSED_PIPE = 141
"""128 + SIGPIPE, as a shell reports it for any tool whose reader has gone."""
TERMINATED = 143
"""128 + SIGTERM, likewise."""
