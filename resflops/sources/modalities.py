"""The usual inputs of a Hugging Face model: parameters of its forward, in the sizes that its config gives.

No attention_mask is among them. Without one, every token sees whatever the architecture lets it see, as
with a mask of ones. Given one, a model first reads whether it is all ones, and a tensor without values
cannot tell.
"""

from collections.abc import Callable, Iterable
from inspect import Parameter, signature
from typing import Any

from msgspec import Struct

from resflops.records import Shape, TensorSpec
from resflops.sources.found_model import Inputs

__all__ = ["UsualInputs", "describe_inputs"]

LENGTH = 128
"""The tokens of a text, unless the model cannot take so many."""
SAMPLES = 16_000
"""The samples of a sound: one second at the rate of speech models."""
MEL_FRAMES = 1000
"""The frames of a spectrogram if the config has no number: ten seconds at a hundred frames a second."""
IMAGE = 224
"""Height and width of an image if the config has none."""

FRAMES = 16
"""The frames of a video if the config has no number."""
_VIDEO_DIMENSIONS = 4

TEXT_ALONE = "counted on text alone: images and sounds enter through tokens of their own"

Config = Any


class UsualInputs(Struct, frozen=True, kw_only=True):
    """The usual inputs of a model."""

    family: str
    shape: Shape
    """Shape of its main input, without the batch; ``()`` if it is not known."""
    inputs: Callable[[Shape], Inputs]
    notes: tuple[str, ...] = ()


def describe_inputs(config: Config, kind: type, length: int | None) -> UsualInputs:
    """Describe the usual inputs of a model.

    Args:
        config: the model's config.
        kind: the model's class.
        length: the number of tokens of its texts; None for the usual one.
    """
    names, notes = _select_parameters(config, kind)
    length = length or _find_usual_length(config)
    usual = {name: _SHAPES[name](config, length) for name in names}
    # The input whose size matters most: an image's rather than its caption's.
    main = next((name for name in _SHAPES if name in names), "")

    def inputs(shape: Shape) -> Inputs:
        tokens = shape[1] if main == "input_ids" else length
        shapes = {name: (shape[0], *_SHAPES[name](config, tokens)) for name in names} | {main: shape}
        return Inputs(
            kwargs={
                name: TensorSpec(each, "int64" if name in _TEXT else "float32")
                for name, each in shapes.items()
            }
        )

    return UsualInputs(family=_FAMILIES.get(main, ""), shape=usual.get(main, ()), inputs=inputs, notes=notes)


def _select_parameters(config: Config, kind: type) -> tuple[list[str], tuple[str, ...]]:
    """Select the parameters of its forward that a model must be given."""
    accepted = signature(kind.forward).parameters  # type: ignore[attr-defined]
    main = str(getattr(kind, "main_input_name", "input_ids"))
    notes: tuple[str, ...] = ()
    required = {main}
    modalities = getattr(kind, "input_modalities", "text")
    modalities = {modalities} if isinstance(modalities, str) else set(modalities)
    # A model with an id for an image's place in the text, such as image_token_id, gets images through its
    # tokens. It cannot be given one without a text whose tokens match it.
    if "input_ids" in accepted and any(
        "_token_i" in name and name.split("_")[0] in _MEDIA for name in vars(config)
    ):
        required = {"input_ids"}
        notes = (TEXT_ALONE,)
    else:
        for modality, names in _OF_MODALITY.items():
            if modality in modalities:
                required.update(names)
    if getattr(config, "is_encoder_decoder", False):
        required.add("decoder_input_ids")
    # What its forward requires, whatever the class declares.
    required.update(name for name, parameter in accepted.items() if parameter.default is Parameter.empty)
    return [name for name in _SHAPES if name in required and name in accepted], notes


_MEDIA = ("image", "audio", "video", "vision")
_OF_MODALITY = {
    "text": ("input_ids",),
    "image": ("pixel_values",),
    "audio": ("input_features",),
}


def _find_usual_length(config: Config) -> int:
    limits = _find_first(
        _list_parts(config), "max_position_embeddings", "n_positions", "max_target_positions"
    )
    return min(LENGTH, limits) if isinstance(limits, int) and limits > 0 else LENGTH


def _size_image(config: Config, _: int) -> Shape:
    parts = _list_parts(config, "vision_config")
    size = _find_first(parts, "image_size", "crop_size", "img_size") or IMAGE
    if isinstance(size, dict):
        size = tuple(size.values())
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    channels = _find_first(parts, "num_channels", "in_channels", "in_chans") or 3
    frames = _find_first(parts, "num_frames", "frames_per_clip")
    return (*((frames,) if frames else ()), channels, height, width)


def _size_video(config: Config, length: int) -> Shape:
    image = _size_image(config, length)
    return image if len(image) == _VIDEO_DIMENSIONS else (FRAMES, *image)


def _size_spectrogram(config: Config, _: int) -> Shape:
    parts = _list_parts(config, "audio_config", "encoder_config")
    bins = _find_first(parts, "num_mel_bins", "feature_projection_input_dim", "input_feat_per_channel") or 80
    positions = _find_first(parts, "max_source_positions")
    # Models such as Whisper halve the number of frames, and have one position for each frame that is left.
    return (bins, 2 * positions) if positions and hasattr(config, "num_mel_bins") else (MEL_FRAMES, bins)


def _size_sound(config: Config, _: int) -> Shape:
    frames, bins = getattr(config, "max_length", None), getattr(config, "num_mel_bins", None)
    if frames and bins:
        return frames, bins
    # An audio codec's input has channels, as an image has.
    channels = getattr(config, "audio_channels", None)
    return (channels, SAMPLES) if channels else (SAMPLES,)


def _size_series(config: Config, _: int) -> Shape:
    channels = getattr(config, "num_input_channels", None)
    return (config.context_length, channels) if channels else (config.context_length,)


def _size_text(_: Config, length: int) -> Shape:
    return (length,)


_SHAPES: dict[str, Callable[[Config, int], Shape]] = {
    "pixel_values": _size_image,
    "pixel_values_videos": _size_video,
    "input_features": _size_spectrogram,
    "input_values": _size_sound,
    "input_ids": _size_text,
    "decoder_input_ids": _size_text,
    "qformer_input_ids": _size_text,
    "past_values": _size_series,
}
"""The parameters whose shapes are known, in the order in which they are candidates for the main input."""

_TEXT = ("input_ids", "decoder_input_ids", "qformer_input_ids")
_FAMILIES = {
    "pixel_values": "image",
    "pixel_values_videos": "video",
    "input_features": "audio",
    "input_values": "audio",
    "input_ids": "text",
    "past_values": "series",
}


def _list_parts(config: Config, *names: str) -> list[Config]:
    """List the configs to look into: those of the parts that may take such an input, then the whole."""
    parts = [getattr(config, name, None) for name in (*names, "text_config")]
    return [part for part in (*parts, config) if part is not None]


def _find_first(parts: Iterable[Config], *names: str) -> Any:  # noqa: ANN401 - whatever the config holds
    for part in parts:
        for name in names:
            value = getattr(part, name, None)
            if value is not None:
                return value
    return None
