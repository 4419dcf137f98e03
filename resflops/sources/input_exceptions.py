"""Hugging Face models whose inputs are not what the names of their forward's parameters mean elsewhere.

By the config's model type or, where one type has parts that take different things, by the class.
"""

from collections.abc import Callable
from typing import Any

from resflops.records import Shape

__all__ = ["ALSO", "ROWS", "SIZES"]

Config = Any
Size = Callable[[Config, int], Shape]
"""Of a config and a text's length: the shape without the batch."""

SAMPLES = 16_000


def _find_part(config: Config, name: str) -> Config:
    """The config of a part, or the config itself if it is the part's."""
    return getattr(config, name, config)


def _size_pair(config: Config, _: int) -> Shape:
    """Two images, which are matched."""
    size = getattr(config, "image_size", None) or 224
    return (2, getattr(config, "num_channels", None) or 3, size, size)


def _size_clap(config: Config, _: int) -> Shape:
    """One channel of as many frames as the folded spectrogram has pixels in each row of bins."""
    audio = _find_part(config, "audio_config")
    return (1, audio.spec_size * (audio.spec_size // audio.num_mel_bins), audio.num_mel_bins)


def _size_mono(_config: Config, _length: int) -> Shape:
    """A sound of one channel."""
    return (1, SAMPLES)


def _size_gemma_mel(_config: Config, _length: int) -> Shape:
    """What Gemma's feature extractor gives, which no config says."""
    return (1000, 128)


def _size_depth_pro(config: Config, _: int) -> Shape:
    """An image whose smallest scaled copy is one patch."""
    side = round(config.patch_size / min(config.scaled_images_ratios))
    return (3, side, side)


def _size_channels_of_tokens(config: Config, length: int) -> Shape:
    """Tokens of several codebooks at each place."""
    decoder = _find_part(config, "decoder_config")
    return (length, decoder.num_channels)


def _size_codebooks(config: Config, length: int) -> Shape:
    return (length, config.num_codebooks + 1)


def _size_stacked_mel(config: Config, _: int) -> Shape:
    """Pairs of frames of a spectrogram, each with its change since the last."""
    return (1000, 4 * _find_part(config, "encoder_config").num_mel_bins)


def _size_clvp(config: Config, _: int) -> Shape:
    return (config.decoder_config.feature_size, 1000)


def _size_flattened_patches(config: Config, _: int) -> Shape:
    """Patches of an image, the row and the column of each in front of its pixels."""
    vision = _find_part(config, "vision_config")
    return (
        vision.seq_len if hasattr(vision, "seq_len") else vision.max_num_patches,
        vision.patch_embed_hidden_size + 2,
    )


def _size_mel_first(config: Config, _: int) -> Shape:
    """Bins before frames, as Whisper takes them."""
    return (getattr(config, "num_mel_bins", 80), 3000)


def _size_seggpt(config: Config, _: int) -> Shape:
    """Half of the image: the prompt is put on top of it."""
    height, width = config.image_size
    return (config.num_channels, height // 2, width)


def _size_images(config: Config, _: int) -> Shape:
    """A sequence of one image."""
    vision = _find_part(config, "vision_config")
    return (1, 3, vision.image_size, vision.image_size)


def _size_tiles(config: Config, _: int) -> Shape:
    """One image, cut into as many tiles as may be."""
    return (1, config.max_num_tiles, config.num_channels, config.image_size, config.image_size)


SIZES: dict[str, dict[str, Size]] = {
    "ClapAudioModel": {"input_features": _size_clap},
    "ClapModel": {"input_features": _size_clap},
    "DacModel": {"input_values": _size_mono},
    "DepthProModel": {"pixel_values": _size_depth_pro},
    "DiaDecoder": {"input_ids": _size_channels_of_tokens},
    "DiaModel": {"decoder_input_ids": _size_channels_of_tokens},
    "EfficientLoFTRModel": {"pixel_values": _size_pair},
    "FunAsrNanoEncoder": {"input_features": lambda config, _: (1000, config.input_size)},
    "Gemma3nAudioEncoder": {"audio_mel": lambda config, _: (1000, config.input_feat_size)},
    "Gemma4AudioModel": {"input_features": _size_gemma_mel},
    "GlmAsrEncoder": {"input_features": _size_mel_first},
    "ClvpModelForConditionalGeneration": {"input_features": _size_clvp},
    "GraniteSpeech5Encoder": {"input_features": _size_stacked_mel},
    "GraniteSpeech5ForCTC": {"input_features": _size_stacked_mel},
    "IdeficsModel": {"pixel_values": _size_images},
    "KyutaiSpeechToTextModel": {"input_ids": _size_codebooks},
    "Kosmos2_5VisionModel": {"flattened_patches": _size_flattened_patches},
    "Nemotron3_5TranscribeAudioModel": {"input_features": _size_gemma_mel},
    "OmniASRAudioModel": {"input_values": _size_mono},
    "OmniASRCTCModel": {"input_values": _size_mono},
    "PeAudioEncoder": {"input_values": _size_mono},
    "PeAudioModel": {"input_values": _size_mono},
    "Pix2StructForConditionalGeneration": {"flattened_patches": _size_flattened_patches},
    "Pix2StructVisionModel": {"flattened_patches": _size_flattened_patches},
    "Qwen3ASREncoder": {"input_features": _size_mel_first},
    "VibeVoiceAcousticTokenizerModel": {"input_values": _size_mono},
    "LightGlueForKeypointMatching": {"pixel_values": _size_pair},
    "MllamaVisionModel": {"pixel_values": _size_tiles},
    "SegGptModel": {"pixel_values": _size_seggpt},
    "SuperGlueForKeypointMatching": {"pixel_values": _size_pair},
}
"""Sizes that a class has in its own way."""


def _count_codebooks(config: Config) -> int:
    """The codebooks whose tokens lie in rows of their own."""
    return int(_find_part(config, "decoder").num_codebooks)


ROWS: dict[str, dict[str, Callable[[Config], int]]] = {
    "MusicgenForCausalLM": {"input_ids": _count_codebooks},
    "MusicgenForConditionalGeneration": {"decoder_input_ids": _count_codebooks},
    "MusicgenMelodyForCausalLM": {"input_ids": _count_codebooks},
    "MusicgenMelodyForConditionalGeneration": {"decoder_input_ids": _count_codebooks},
    "MusicgenMelodyModel": {"input_ids": _count_codebooks},
    "MusicgenModel": {"input_ids": _count_codebooks},
}
"""Of inputs that have several rows for each sample of a batch: how many."""

ALSO: dict[str, tuple[str, ...]] = {
    "AudioFlamingo3Encoder": ("input_features_mask",),
    "Blip2QFormerModel": ("encoder_hidden_states",),
    "BrosModel": ("bbox",),
    "ClvpModelForConditionalGeneration": ("input_features",),
    "DecisionTransformerModel": ("states", "actions", "rewards", "returns_to_go", "timesteps"),
    "Idefics2PerceiverResampler": ("attention_mask",),
    "IdeficsModel": ("image_attention_mask",),
    "Kosmos2_5VisionModel": ("flattened_patches",),
    "LxmertModel": ("visual_feats", "visual_pos"),
    "Pix2StructForConditionalGeneration": ("flattened_patches", "decoder_input_ids"),
    "Pix2StructVisionModel": ("flattened_patches",),
    "Siglip2Model": ("pixel_attention_mask", "spatial_shapes"),
    "TvpModel": ("pixel_values",),
    "UdopModel": ("bbox",),
    "Kosmos2Model": ("image_embeds_position_mask",),
}
"""Inputs that a class cannot do without, though its forward has defaults for them."""
