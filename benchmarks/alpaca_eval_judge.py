"""AlpacaEval as a judge of pairs, by its own Python API: run with an interpreter that has it.

    python alpaca_eval_judge.py PAIRS.jsonl ANNOTATOR CACHE.json [--swapped]

A line of PAIRS is {"instruction", "output_1", "output_2"}. Prints {"decided"}: how many pairs got a preference. Where
the endpoint is, and how many calls are in flight, its own environment variables say: OPENAI_CLIENT_CONFIG_PATH and
OPENAI_MAX_CONCURRENCY.
"""

import argparse
import json
from pathlib import Path

from alpaca_eval.annotators import PairwiseAnnotator  # type: ignore[import-not-found]


def main() -> None:
    """Annotate, in one order or in both, and say how many pairs got a preference in each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("annotator")
    parser.add_argument("cache")
    parser.add_argument("--swapped", action="store_true", help="a second time, the outputs swapped")
    arguments = parser.parse_args()
    pairs = [json.loads(line) for line in arguments.pairs.read_text(encoding="utf-8").split("\n") if line]
    swapped = [{**pair, "output_1": pair["output_2"], "output_2": pair["output_1"]} for pair in pairs]
    annotator = PairwiseAnnotator(annotators_config=arguments.annotator, caching_path=arguments.cache)
    orders = [annotator.annotate_pairs(some) for some in ([pairs, swapped] if arguments.swapped else [pairs])]
    # Of what has no preference the value is missing, or NaN; of all others it is a number from 1 to 2.
    preferred = [[row["preference"] is not None and row["preference"] >= 1 for row in rows] for rows in orders]
    print(json.dumps({"decided": sum(map(all, zip(*preferred, strict=True)))}))


if __name__ == "__main__":
    main()
