"""The usual inputs of a Hugging Face model: parameters of its forward, in the sizes that its config gives.

No attention_mask is among them. Without one, every token sees whatever the architecture lets it see, as
with a mask of ones. Given one, a model first reads whether it is all ones, and a tensor without values
cannot tell.
"""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from resflops.records import Shape
from resflops.sources.found_model import Inputs
from resflops.sources.input_exceptions import ALSO
from resflops.sources.input_tensors import (
    FAMILIES,
    TENSORS,
    Call,
    find_usual_length,
    find_usual_shape,
    make_tensor,
)

__all__ = ["UsualInputs", "describe_inputs"]

TEXT_ALONE = "counted on text only, without images and audio, which enter as tokens of their own"

Config = Any


class UsualInputs(Struct, frozen=True, kw_only=True):
    """The usual inputs of a model."""

    family: str
    shape: Shape
    """Shape of its main input, without the batch; ``()`` if it is not known."""
    inputs: Callable[[Shape], Inputs]
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Parameters that it must be given and of which nothing is known here."""


def describe_inputs(config: Config, kind: type, length: int | None) -> UsualInputs:
    """Describe the usual inputs of a model.

    Args:
        config: the model's config.
        kind: the model's class.
        length: the number of tokens of its texts; None for the usual one.
    """
    accepted = signature(kind.forward).parameters  # type: ignore[attr-defined]
    required, notes = _select_parameters(config, kind, accepted)
    names = [name for name in TENSORS if name in required and name in accepted]
    usual = Call(
        config=config,
        kind=kind,
        accepted=frozenset(accepted),
        batch=1,
        length=length or find_usual_length(config),
        # The one whose size is the first thing to ask for: an image's rather than its caption's.
        main=next(iter(names), ""),
    )

    def inputs(shape: Shape) -> Inputs:
        tokens = shape[1] if usual.main == "input_ids" else usual.length
        call = replace(usual, batch=shape[0], length=tokens, shape=shape[1:])
        return Inputs(kwargs={name: make_tensor(name, call) for name in names})

    return UsualInputs(
        family=FAMILIES.get(usual.main, ""),
        shape=find_usual_shape(usual),
        inputs=inputs,
        notes=notes,
        unknown=tuple(name for name in _list_required(accepted) if name not in TENSORS),
    )


def _select_parameters(
    config: Config, kind: type, accepted: Mapping[str, Parameter]
) -> tuple[set[str], tuple[str, ...]]:
    """The parameters of its forward that a model must be given."""
    main = getattr(kind, "main_input_name", "input_ids")
    notes: tuple[str, ...] = ()
    required = {main} if isinstance(main, str) else set(main)
    modalities = getattr(kind, "input_modalities", "text")
    modalities = {modalities} if isinstance(modalities, str) else set(modalities)
    if "input_ids" in accepted and _has_tokens_of_media(config):
        required = {"input_ids"}
        notes = (TEXT_ALONE,)
    else:
        for modality, names in _OF_MODALITY.items():
            if modality in modalities:
                required.update(names)
    if getattr(config, "is_encoder_decoder", False):
        required.add("decoder_input_ids")
    required.update(ALSO.get(kind.__name__, ()))
    # What its forward cannot do without, whatever the model calls its own.
    required.update(_list_required(accepted))
    return required, notes


def _list_required(accepted: Mapping[str, Parameter]) -> list[str]:
    return [
        name
        for name, parameter in accepted.items()
        if parameter.default is Parameter.empty
        and parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        and name != "self"
    ]


def _has_tokens_of_media(config: Config) -> bool:
    """Whether images or sounds stand in the text as tokens, for which embeddings are then put in."""
    parts = (config, getattr(config, "vlm_config", None))
    return any(
        "_token_i" in name and name.split("_")[0] in _MEDIA
        for part in parts
        if part is not None
        for name in vars(part)
    )


_MEDIA = ("image", "audio", "video", "vision")
_OF_MODALITY = {
    "text": ("input_ids",),
    "image": ("pixel_values",),
    "audio": ("input_features",),
}
