"""Stable Audio Open at toy size, for tests and for ``sounds.py``.

The real pipeline classes with toy numbers and random weights.
"""

import json
import warnings
from pathlib import Path

import torch

RATE, WINDOW = 8000, 16384  # Hz, and samples that it makes: 2.048 s
TEXTS = [
    "a lion roars in a misty forest",
    "low quality music",
    "the call of a small frog",
    "field recording at night",
]


def build(folder: Path) -> Path:
    """Write the toy into ``folder`` in the layout of diffusers.

    Needs diffusers, transformers and torchsde.
    """
    import diffusers
    import transformers
    from diffusers.pipelines.stable_audio import StableAudioProjectionModel
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    torch.manual_seed(0)

    # A tokenizer of its own: that of T5 would have to be downloaded.
    unigram = Tokenizer(models.Unigram())
    unigram.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    special = ["<pad>", "</s>", "<unk>"]
    unigram.train_from_iterator(
        TEXTS,
        trainers.UnigramTrainer(
            vocab_size=60, special_tokens=special, unk_token="<unk>", show_progress=False
        ),
    )
    vocabulary = [(piece, score) for piece, score in json.loads(unigram.to_str())["model"]["vocab"]]
    text = transformers.T5Config(
        vocab_size=len(vocabulary), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4
    )
    with warnings.catch_warnings():
        # diffusers builds its autoencoder with what torch calls deprecated.
        warnings.filterwarnings("ignore", message=".*weight_norm", category=FutureWarning)
        autoencoder = diffusers.AutoencoderOobleck(
            encoder_hidden_size=16,
            downsampling_ratios=[2, 4, 8],
            channel_multiples=[1, 2, 4],
            decoder_channels=16,
            decoder_input_channels=8,
            audio_channels=2,
            sampling_rate=RATE,
        )
    pipeline = diffusers.StableAudioPipeline(
        vae=autoencoder,
        text_encoder=transformers.T5EncoderModel(text),
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=32, conditioning_dim=16, min_value=0, max_value=512
        ),
        tokenizer=transformers.T5TokenizerFast(vocab=vocabulary, extra_ids=0, model_max_length=32),
        transformer=diffusers.StableAudioDiTModel(
            sample_size=256,
            in_channels=8,
            out_channels=8,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            num_key_value_attention_heads=2,
            cross_attention_dim=16,
            cross_attention_input_dim=16,
            time_proj_dim=16,
            global_states_input_dim=32,
        ),
        scheduler=diffusers.CosineDPMSolverMultistepScheduler(
            sigma_min=0.3, sigma_max=500, sigma_data=1.0
        ),
    )
    pipeline.save_pretrained(folder)
    return folder
