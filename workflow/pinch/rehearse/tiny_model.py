"""A language model of 40,000 parameters with random weights, for rehearsals and tests."""

from collections.abc import Iterable
from pathlib import Path


def write(folder: Path, texts: Iterable[str], vocabulary: int = 800) -> None:
    """Write Gemma 3 in miniature: byte-level BPE that adds BOS by itself, local and global attention.

    Any text in any script can be written in its tokens; `texts` only say which of them are worth a token.
    """
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    special = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        ),
    )
    bpe.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", extra_special_tokens=special[3:]
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        query_pre_attn_scalar=16,
        layer_types=["sliding_attention", "full_attention"],
        sliding_window=32,
        max_position_embeddings=1024,
        initializer_range=0.5,
        tie_word_embeddings=False,  # tied, it would say the last token of the prompt again and again
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    transformers.Gemma3ForCausalLM(config).save_pretrained(folder)
