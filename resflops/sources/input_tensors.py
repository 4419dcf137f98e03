"""The tensors that Hugging Face models take: for each name of a parameter, its sizes, type and values.

A value stands where shapes alone do not say what runs: a packed image's rows and columns, a mask of all ones.
"""

from collections.abc import Callable, Iterable
from math import isqrt
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from resflops.errors import InputError, describe_error
from resflops.records import Shape, TensorSpec
from resflops.sources.input_exceptions import ROWS, SIZES

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FAMILIES", "TENSORS", "Call", "find_usual_length", "find_usual_shape", "make_tensor"]

LENGTH = 128
"""Tokens of a text, unless the model cannot take so many."""
SAMPLES = 16_000
"""Of a sound: one second at the rate that speech models take."""
MEL_FRAMES = 1000
"""Of a spectrogram, where the config does not say: ten seconds of hundredths."""
IMAGE = 224
"""Height and width of an image, where the config does not say."""
QUERIES = 32
PATCHES = 257
"""Of an image of 224 pixels in patches of 14, with the class token: what a Q-former looks at."""
REGIONS = 36
"""Of an image, where a detector has found them."""
STEPS = 20
"""Of a game that a decision transformer looks back at."""
FRAMES = 16
"""Of a video, where the config does not say."""
_VIDEO_DIMENSIONS = 4

Config = Any
Make = Callable[["Call"], "TensorSpec | Tensor"]


class Call(Struct, frozen=True, kw_only=True):
    """One call of a model: whose it is, and how much of everything it takes."""

    config: Config
    kind: type
    accepted: frozenset[str]
    """The parameters of its forward."""
    batch: int
    length: int
    """Of its texts."""
    main: str
    """The parameter whose shape is the first thing to ask for."""
    shape: Shape = ()
    """Of that one, without the batch, or of the image that it is cut from; ``()`` for the usual one."""


def find_usual_length(config: Config) -> int:
    """How many tokens a text has, if nobody says otherwise."""
    limits = _find_first(
        _list_parts(config), "max_position_embeddings", "n_positions", "max_target_positions"
    )
    return min(LENGTH, limits) if isinstance(limits, int) and limits > 0 else LENGTH


def find_usual_shape(call: Call) -> Shape:
    """Give the shape of the main input, without the batch; of the image where it is given as patches."""
    if call.main not in TENSORS:
        return ()
    if call.accepted & _GRIDS and TENSORS[call.main] in (_make_image, _make_hidden_states):
        return _size_image(call)
    if call.main in _TEXTS:
        return (call.length,)
    return tuple(make_tensor(call.main, call).shape[1:])


def _size_image(call: Call) -> Shape:
    parts = _list_parts(call.config, "vision_config", "backbone_config")
    parts += [part.backbone_config for part in parts if getattr(part, "backbone_config", None) is not None]
    size = _find_first(parts, "image_size", "crop_size", "img_size") or IMAGE
    if isinstance(size, dict):
        size = tuple(size.values())
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    frames = _find_first(parts, "num_frames", "frames_per_clip")
    return (*((frames,) if frames else ()), _count_channels(call.config), height, width)


def _count_channels(config: Config) -> int:
    found = _find_first(
        _list_parts(config, "vision_config"), "num_channels", "in_channels", "in_chans", "channels"
    )
    return found if isinstance(found, int) else 3


def _size_video(call: Call) -> Shape:
    image = _size_image(call)
    return image if len(image) == _VIDEO_DIMENSIONS else (FRAMES, *image)


def _size_spectrogram(call: Call) -> Shape:
    config = call.config
    parts = _list_parts(config, "audio_config", "encoder_config")
    bins = (
        _find_first(
            parts, "num_mel_bins", "feature_projection_input_dim", "input_feat_per_channel", "input_dim"
        )
        or 80
    )
    positions = _find_first(parts, "max_source_positions")
    # Whisper's kind halves the frames, and has one position for each that is left.
    return (bins, 2 * positions) if positions and hasattr(config, "num_mel_bins") else (MEL_FRAMES, bins)


def _size_sound(call: Call) -> Shape:
    config = call.config
    frames, bins = getattr(config, "max_length", None), getattr(config, "num_mel_bins", None)
    if frames and bins:
        return frames, bins
    # A codec of sounds has channels, as an image has.
    channels = getattr(config, "audio_channels", None)
    return (channels, SAMPLES) if channels else (SAMPLES,)


def _size_series(call: Call) -> Shape:
    config = call.config
    channels = getattr(config, "num_input_channels", None)
    # Lagged copies of a series reach back beyond its context.
    # A model without a context is refused as it is built.
    length = (config.context_length or 1) + max(getattr(config, "lags_sequence", None) or (0,))
    if not channels and isinstance(size := getattr(config, "input_size", None), int) and size > 1:
        channels = size
    return (length, channels) if channels else (length,)


def _size_text(call: Call) -> Shape:
    return (call.length,)


def _size_embeddings(call: Call) -> Shape:
    """What a part of a model takes from the part before it."""
    config = call.config
    if getattr(call.kind, "main_input_name", "") == "pixel_values":
        return _take(call, _size_image)
    width = _find_first([config], "input_dim", "input_size")
    if isinstance(width, int):
        return (MEL_FRAMES, width)
    return (call.length, _find_first([config], "hidden_size", "d_model", "embed_dim"))


def _size_mel(call: Call) -> Shape:
    bins = _find_first([call.config], "model_in_dim", "input_feat_size", "num_mel_bins", "mel_dim") or 80
    return (MEL_FRAMES, bins)


def _size_queries(call: Call) -> Shape:
    """As many queries as BLIP-2 asks, where the config of the part does not say."""
    return (_find_first([call.config], "num_query_tokens") or QUERIES, call.config.hidden_size)


def _take(call: Call, size: Callable[[Call], Shape]) -> Shape:
    """The shape that was asked for, if it is of the kind of the usual one."""
    usual = size(call)
    return call.shape if len(call.shape) == len(usual) else usual


def make_tensor(name: str, call: Call) -> "TensorSpec | Tensor":
    """Make what stands for one of a model's inputs.

    Raises:
        InputError: the config lacks what its size follows from.
    """
    try:
        return _make_tensor(name, call)
    except (AttributeError, TypeError) as error:
        raise InputError(
            f"the size of {name}, which {call.kind.__name__} takes, does not follow from its config "
            f"({describe_error(error)}); load the model and count it from Python, with inputs of your own"
        ) from error


def _make_tensor(name: str, call: Call) -> "TensorSpec | Tensor":
    if rows := ROWS.get(call.kind.__name__, {}).get(name):
        call = replace(call, batch=call.batch * rows(call.config))
    own = SIZES.get(call.kind.__name__, {}).get(name)
    if own is None:
        return TENSORS[name](call)
    shape = own(call.config, call.length)
    # Tokens are asked for by their number.
    if name == call.main and name not in _TEXTS and len(call.shape) == len(shape):
        shape = call.shape
    return TensorSpec((call.batch, *shape), "int64" if name in _TEXTS else "")


def _lay_grid(call: Call) -> tuple[int, int]:
    """Rows and columns of patches in an image, whole blocks of those that are merged."""
    config = call.config
    patch = _find_first(_list_parts(config, "vision_config"), "patch_size")
    patch = patch if isinstance(patch, int) else patch[-1]
    merge = _find_first(
        _list_parts(config, "vision_config"), "spatial_merge_size", "merge_size", "merge_kernel_size"
    )
    merge = merge if isinstance(merge, int) else (merge or (1,))[-1]
    height, width = _take(call, _size_image)[-2:]
    return tuple(max(side // patch // merge, 1) * merge for side in (height, width))  # type: ignore[return-value]


def _pack_image(call: Call) -> TensorSpec:
    """The patches of all images one after the other, each a row of its pixels."""
    config = call.config
    rows, columns = _lay_grid(call)
    patch = _find_first([config], "patch_size")
    patch = patch if isinstance(patch, int) else patch[-1]
    pixels = _count_channels(config) * (getattr(config, "temporal_patch_size", None) or 1) * patch**2
    return TensorSpec((call.batch * rows * columns, pixels))


def _make_grid(call: Call) -> "Tensor":
    return _fill([[1, *_lay_grid(call)]] * call.batch)


def _find_vision(call: Call) -> Config:
    return _list_parts(call.config, "vision_config")[0]


def _make_square(call: Call) -> "Tensor":
    """Rows and columns of images in as many patches as the config has positions for."""
    side = isqrt(_find_vision(call).num_patches)
    return _fill([[side, side]] * call.batch)


def _mark_image(call: Call) -> "Tensor":
    """Where the embeddings of an image stand in a text: at its beginning."""
    places = call.config.latent_query_num
    return _fill([[place < places for place in range(call.length)]] * call.batch)


def _fill(values: object) -> "Tensor":
    """A tensor of whole numbers or of truths, with its values."""
    import torch

    return torch.tensor(values)


def _make_image(call: Call) -> TensorSpec:
    if call.accepted & _GRIDS:
        return _pack_image(call)
    if "spatial_shapes" in call.accepted:
        vision = _find_vision(call)
        patches = isqrt(vision.num_patches) ** 2
        return TensorSpec((call.batch, patches, vision.num_channels * vision.patch_size**2))
    return TensorSpec((call.batch, *_take(call, _size_image)))


def _make_hidden_states(call: Call) -> TensorSpec:
    if call.accepted & _GRIDS:
        return _pack_image(call)
    return TensorSpec((call.batch, *_take(call, _size_embeddings)))


def _make(size: Callable[[Call], Shape], dtype: str = "") -> Make:
    """What makes a tensor of such a size, the batch in front."""
    return lambda call: TensorSpec((call.batch, *size(call)), dtype)


def _make_ones(size: Callable[[Call], Shape]) -> Make:
    """What makes a mask that hides nothing, or another tensor of ones."""

    def make(call: Call) -> "Tensor":
        import torch

        return torch.ones((call.batch, *size(call)), dtype=torch.int64)

    return make


def _make_main(size: Callable[[Call], Shape]) -> Make:
    """The same for one whose size may be asked for."""
    return lambda call: TensorSpec((call.batch, *_take(call, size)))


_TEXT = _make(_size_text, "int64")
_TEXTS = ("input_ids", "decoder_input_ids", "qformer_input_ids")
_GRIDS = frozenset(("grid_thw", "image_grid_thw"))

TENSORS: dict[str, Make] = {
    "pixel_values": _make_image,
    "pixel_values_videos": _make_main(_size_video),
    "image": _make_main(_size_image),
    "input_features": _make_main(_size_spectrogram),
    "audio_mel": _make_main(_size_spectrogram),
    "input_values": _make_main(_size_sound),
    "input_ids": _TEXT,
    "past_values": _make_main(_size_series),
    "flattened_patches": _make_main(_size_embeddings),
    "states": _make_main(lambda call: (STEPS, call.config.state_dim)),
    "inputs": _make_main(_size_embeddings),
    "context": _make_main(_size_embeddings),
    "query_embeds": _make_main(_size_queries),
    "mel_spectrogram": _make_main(lambda call: _size_mel(call)[::-1]),
    "spectrogram": _make_main(_size_mel),
    "hidden_states": _make_hidden_states,
    "inputs_embeds": _make_main(_size_embeddings),
    "decoder_input_ids": _TEXT,
    "qformer_input_ids": _TEXT,
    "grid_thw": _make_grid,
    "image_grid_thw": _make_grid,
    "bbox": _make(lambda call: (call.length, 4), "int64"),
    "input_features_mask": _make_ones(lambda call: (max(_take(call, _size_spectrogram)),)),
    "audio_mel_mask": _make(lambda _: (MEL_FRAMES,), "bool"),
    "mask": _make_ones(lambda _: (MEL_FRAMES,)),
    "attention_mask": _make_ones(_size_text),
    "image_attention_mask": _make_ones(lambda call: (call.length, 1)),
    "image_embeds_position_mask": _mark_image,
    "encoder_hidden_states": _make(lambda call: (PATCHES, call.config.encoder_hidden_size)),
    "visual_feats": _make(lambda call: (REGIONS, call.config.visual_feat_dim)),
    "visual_pos": _make(lambda call: (REGIONS, call.config.visual_pos_dim)),
    "actions": _make(lambda call: (STEPS, call.config.act_dim)),
    "rewards": _make(lambda _: (STEPS, 1)),
    "returns_to_go": _make(lambda _: (STEPS, 1)),
    "timesteps": _make(lambda _: (STEPS,), "int64"),
    "past_time_features": _make(lambda call: (*_size_series(call)[:1], call.config.num_time_features)),
    "past_observed_mask": _make(_size_series),
    "future_values": _make(lambda call: (call.config.prediction_length,)),
    "future_time_features": _make(
        lambda call: (call.config.prediction_length, call.config.num_time_features)
    ),
    "past_values_padding": _make(_size_series, "int64"),
    "freq": _make(lambda _: (1,), "int64"),
    "prompt_pixel_values": _make(lambda call: make_tensor("pixel_values", call).shape[1:]),
    "prompt_masks": _make(lambda call: make_tensor("pixel_values", call).shape[1:]),
    "task_inputs": _make(lambda call: (call.config.task_seq_len,), "int64"),
    "aspect_ratio_ids": _make(lambda _: (1,), "int64"),
    "aspect_ratio_mask": _make_ones(lambda call: (1, call.config.max_num_tiles)),
    "pixel_attention_mask": _make_ones(lambda call: (isqrt(_find_vision(call).num_patches) ** 2,)),
    "spatial_shapes": _make_square,
    "merge_sizes": _make_ones(lambda _: ()),
}
"""What is known, the main input before the others."""

FAMILIES = {
    "pixel_values": "image",
    "pixel_values_videos": "video",
    "image": "image",
    "input_features": "audio",
    "audio_mel": "audio",
    "input_values": "audio",
    "spectrogram": "audio",
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
