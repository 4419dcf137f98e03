"""What a Hugging Face model is called with: its forward's parameters, in the sizes of its config.

No attention_mask is among them. Without one every token sees whatever its architecture
lets it see, as with a mask of ones; but given one, a model first reads whether it is all
ones, and tensors without values cannot tell.
"""

from collections.abc import Callable, Iterable
from inspect import Parameter, signature
from typing import Any

from msgspec import Struct

from resflops.records import Shape
from resflops.sources.found import Inputs, TensorSpec

__all__ = ["UsualInputs", "describe_inputs"]

LENGTH = 128
"""Tokens of a text, unless the model cannot take so many."""
SAMPLES = 16_000
"""Of a sound: one second at the rate that speech models take."""
MEL_FRAMES = 1000
"""Of a spectrogram, where the config does not say: ten seconds of hundredths."""
IMAGE = 224
"""Height and width of an image, where the config does not say."""

FRAMES = 16
"""Of a video, where the config does not say."""
_VIDEO_DIMENSIONS = 4

TEXT_ALONE = "counted on text alone: images and sounds enter through tokens of their own"

Config = Any


class UsualInputs(Struct, frozen=True, kw_only=True):
    """What a model takes, and in which sizes."""

    family: str
    shape: Shape
    """Of its main input, without the batch; ``()`` where nothing is known of it."""
    inputs: Callable[[Shape], Inputs]
    notes: tuple[str, ...] = ()


def describe_inputs(config: Config, kind: type, length: int | None) -> UsualInputs:
    """What a model of a class is usually called with.

    Args:
        config: of the model.
        kind: its class.
        length: of its texts, if the usual one is not wanted.
    """
    names, notes = _select_parameters(config, kind)
    length = length or _find_usual_length(config)
    usual = {name: _SHAPES[name](config, length) for name in names}
    # The one whose size is the first thing to ask for: an image's rather than its caption's.
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
    """The parameters of its forward that a model must be given."""
    accepted = signature(kind.forward).parameters  # type: ignore[attr-defined]
    main = str(getattr(kind, "main_input_name", "input_ids"))
    notes: tuple[str, ...] = ()
    required = {main}
    modalities = getattr(kind, "input_modalities", "text")
    modalities = {modalities} if isinstance(modalities, str) else set(modalities)
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
    # What its forward cannot do without, whatever the model calls its own.
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
    # Whisper's kind halves the frames, and has one position for each that is left.
    return (bins, 2 * positions) if positions and hasattr(config, "num_mel_bins") else (MEL_FRAMES, bins)


def _size_sound(config: Config, _: int) -> Shape:
    frames, bins = getattr(config, "max_length", None), getattr(config, "num_mel_bins", None)
    if frames and bins:
        return frames, bins
    # A codec of sounds has channels, as an image has.
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
"""What is known, the main input before the others."""

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
    """Configs to look into: of the part that takes such an input, then the whole."""
    parts = [getattr(config, name, None) for name in (*names, "text_config")]
    return [part for part in (*parts, config) if part is not None]


def _find_first(parts: Iterable[Config], *names: str) -> Any:  # noqa: ANN401 - whatever the config holds
    for part in parts:
        for name in names:
            value = getattr(part, name, None)
            if value is not None:
                return value
    return None
