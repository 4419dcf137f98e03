"""The reasons for which runtimes refuse a model, without the places in their code where they say so."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["explain_refusal", "find_reason"]

STATUS = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:)?")
"""How onnxruntime begins: the status, and the file, which may be a temporary one."""

PLACE = re.compile(r"\S+\.(cc|h):\d+ (?=.*?\()")
"""A line of onnxruntime's code, before the signature of the function that it is in."""


@contextmanager
def explain_refusal() -> Iterator[None]:
    """Raise the reason alone where a runtime refuses a model, or fails to run it.

    Raises:
        RuntimeError: the runtime refuses it.
    """
    try:
        yield
    except Exception as error:
        reason = find_reason(str(error))
        if reason == str(error):
            raise
        raise RuntimeError(reason) from error


def find_reason(message: str) -> str:
    """Find the reason in the message of a runtime; any other message stays as it is.

    >>> find_reason("[ONNXRuntimeError] : 1 : FAIL : Load model from a.onnx failed:/ort/model.cc:256 "
    ...             "ort::Model::Model(onnx::ModelProto&&, int (&)[2]) Unsupported model IR version: 99")
    'Unsupported model IR version: 99'
    """
    if STATUS.match(message):
        return _drop_place(STATUS.sub("", message)).strip()
    if message.startswith("Exception from "):
        return _find_openvino_reason(message)
    return message


def _drop_place(text: str) -> str:
    """Drop the place in the code, with the signature of its function up to the parenthesis that ends it."""
    place = PLACE.search(text)
    if place is None:
        return text
    depth = 0
    for end in range(text.index("(", place.end()), len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if not depth:
            return text[: place.start()] + text[end + 1 :].removeprefix(" const").lstrip()
    return text


def _find_openvino_reason(message: str) -> str:
    """Find the line that says why: the last one, or that before or in the summary."""
    lines = [line.strip().removeprefix("-- ") for line in message.splitlines() if line.strip()]
    if "Summary:" not in lines[:-1]:
        return lines[-1]
    place = lines.index("Summary:")
    before = lines[place - 1]
    return lines[place + 1] if before.startswith("Model wasn't fully converted") else before
