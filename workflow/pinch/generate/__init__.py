"""generate: responses of one model to the evaluation prompts of one language.

The first job to run loads the base model and fills the cache for its whole row, then for rows of other training sets
of the same base; their jobs find their cells there and load nothing. A cell never depends on its siblings: prompts of
one language of one model are decoded together, and chance is drawn from (seed, language, id).
"""

import argparse
from pathlib import Path

from pinch.cache import cache_folder, refreshing
from pinch.errors import PinchError
from pinch.generate.cells import Cells, Prompts, cell_key, made_with, read_cell, read_prompts
from pinch.generate.filling import Filling
from pinch.generate.rows_of_base import Model, other_models, own_model
from pinch.generate.settings import read_settings
from pinch.rows import file_digest, write_json, write_rows

__all__ = ["Cells", "Filling", "Model", "Prompts", "add_arguments", "cell_key", "read_prompts", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m pinch generate`."""
    parser.add_argument("--base", required=True, help="record of the base model, .json")
    parser.add_argument("--weights", help="folder made by finetune; the untuned base unless given")
    parser.add_argument("--prompts", required=True, help="folder of LANG.jsonl")
    parser.add_argument("--lang", required=True, help="language of the cell")
    parser.add_argument("--row", default="", help="languages to fill the cache for while the model is loaded: en,es")
    parser.add_argument("--rows", help="other training sets to do so for, .json, as a run writes it when it begins")
    parser.add_argument("--limit", type=int, default=0, help="prompts a language; 0: all")
    parser.add_argument("--seed", default="d0t0", help="name of the repetition")
    parser.add_argument("--settings", default="{}", help='decoding, JSON: {"max_new_tokens": 40}')
    parser.add_argument("--transport", default="{}", help="more of them, which change no response; or a file of it")
    parser.add_argument(
        "--cache",
        default=cache_folder(),
        help="folder of converted base models and generated cells; default: $PINCH_CACHE",
    )
    parser.add_argument("--threads", type=int, default=0, help="cores for torch; 0: all")
    parser.add_argument("--output", required=True)


def run(arguments: argparse.Namespace) -> str:
    """Write one cell, from the cache where it is there."""
    settings = read_settings(arguments.settings, arguments.transport)
    model = own_model(arguments, settings)
    cells = Cells(Path(arguments.cache) / "generations", Prompts(arguments.prompts, arguments.limit), settings)
    cell = cells.path(model, arguments.lang)
    langs = [arguments.lang, *(lang for lang in arguments.row.split(",") if lang and lang != arguments.lang)]
    responses = read_cell(cell) if not refreshing() else None
    found = responses is not None
    if responses is not None:
        write_rows(arguments.output, responses)
    else:
        others = other_models(arguments, settings, model) if not refreshing() else []
        filling = Filling(cells, settings, arguments)
        found = not filling.own(model, langs, cell, others)
        responses = read_cell(cell)
        if responses is None:
            raise PinchError(
                f"{cell}: was damaged or deleted as soon as it was written; look at the disk, and run again"
            )
        write_rows(arguments.output, responses)
        filling.rest(others)
    about = {
        "model_digest": model.digest,
        "prompts_digest": cells.prompts.digest(arguments.lang),
        "decoding": settings.deciding(),
        "responses_digest": file_digest(arguments.output),
        **made_with(cell),
    }
    write_json(Path(arguments.output).with_suffix(".json"), about)
    stopped = sum(response.finish_reason == "stop" for response in responses)
    origin = "from the cache" if found else "generated"
    return f"{arguments.lang}: {len(responses)} responses {origin}, {stopped} stopped by themselves"
