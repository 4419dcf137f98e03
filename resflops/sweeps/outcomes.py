"""Outcomes as bytes, on the way between processes and in the journal.

JSON of the standard library, since counts are integers of any size.
"""

import json

from resflops.sweeps.cases import Outcome

__all__ = ["decode_outcome", "decode_row", "encode_outcome", "encode_row"]


def encode_row(row: dict[str, object]) -> str:
    """Write a row as text."""
    return json.dumps(row, separators=(",", ":"))


def decode_row(text: str) -> dict[str, object]:
    """Read a row that was written as text."""
    row: dict[str, object] = json.loads(text)
    return row


def encode_outcome(outcome: Outcome) -> bytes:
    """Write an outcome as bytes."""
    fields = (outcome.number, outcome.label, outcome.row, outcome.failure, outcome.seconds)
    return json.dumps(fields).encode()


def decode_outcome(content: bytes) -> Outcome:
    """Read an outcome that was written as bytes."""
    number, label, row, failure, seconds = json.loads(content)
    return Outcome(number=number, label=label, row=row, failure=failure, seconds=seconds)
