"""Whether this process is the command's own, and not that of a program which uses resflops as a library."""

__all__ = ["claim_process", "is_own_process"]

_claimed = False


def claim_process() -> None:
    """Say that this process runs one command and ends: nobody else's code relies on how packages load."""
    global _claimed  # noqa: PLW0603 - a process is claimed once, as it starts
    _claimed = True


def is_own_process() -> bool:
    """Whether this process was claimed."""
    return _claimed
