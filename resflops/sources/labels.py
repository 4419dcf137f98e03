"""Names of the user's own for models, as in ``Ours=nets.py:Net``."""

from resflops.errors import UsageError
from resflops.storage.writing import is_file

__all__ = ["split_label"]


def split_label(text: str) -> tuple[str, str]:
    """Split a model that goes by a label into the label and the spec; the label is ``""`` if there is none.

    Options of a spec follow a comma, so that an equals sign before the first comma ends a label. A path with
    an equals sign in it is a path where there is such a file.

    >>> split_label("ResNet-34 (B)=resnet34,shortcut=B"), split_label("resnet34,num_classes=10")
    (('ResNet-34 (B)', 'resnet34,shortcut=B'), ('', 'resnet34,num_classes=10'))

    Raises:
        UsageError: no spec follows the label.
    """
    before, equals, after = text.partition("=")
    label, spec = before.strip(), after.strip()
    if not equals or not label or "," in label or is_file(text) or is_file(text.rpartition(":")[0]):
        return "", text
    if not spec:
        raise UsageError(f"{text!r} has no model after the =; write a label and a model as in Ours=resnet34")
    return label, spec
