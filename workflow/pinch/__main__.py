"""Every link by hand: python -m pinch LINK --help."""

import argparse
import sys
from importlib import import_module

from pinch import __version__, alone, stopping
from pinch.arguments import check_outputs
from pinch.last_words import why
from pinch.printable import error_line, printable

LINKS = {
    "base_model": "fetch a pretrained model and convert it once",
    "sources": "the data in the pivot language, from wherever they come",
    "overlap": "training rows that nearly repeat an evaluation prompt",
    "translate": "bring a split of the data into a language",
    "translation_report": "how good the translations are, for a person to look at",
    "evaluate": "an engine's translations against human ones: chrF and BLEU",
    "memory": "translation memories: make one of what was translated, check one",
    "mixture": "draw a training set",
    "finetune": "tune a base model on a training set",
    "generate": "responses of a model in a language",
    "judge": "verdicts on a candidate's responses against a baseline's",
    "jury": "the majority of several judges' verdicts",
    "audit": "verdicts on pairs of which the better one is known, and on cells asked again",
    "audits": "what the audits of an experiment's judges found",
    "replies": "what the cache of judges' replies holds; deletes from it",
    "score": "one score with its interval and bounds, from any file of verdicts",
    "aggregate": "scores, intervals and rates from verdicts and responses",
    "compare": "two training sets on the same prompts, paired",
    "annotate": "people as judges: sheets to fill in, and what they say",
    "plot": "a figure, with the numbers that it draws",
    "draw": "the figures of an unfinished experiment, what is missing marked",
    "explorer": "a run as pages to click through: heatmap, cells, prompts, verdicts",
    "answer": "how little of a pinch is enough",
    "export": "merge an adapter into its base, for use elsewhere",
    "plan": "what an experiment takes, before anything runs",
    "validate": "check a config file",
    "reproduce": "check a finished run against its manifests",
    "rehearse": "the whole design of an experiment on a tiny random model",
    "schema": "JSON Schema of the config, for editors",
}


def main(argv: list[str] | None = None) -> int:
    """Run one link; 0 if it did its work, 1 with one line on standard error if not."""
    argv = sys.argv[1:] if argv is None else argv
    with stopping.handled():
        try:
            return _main(argv)
        except KeyboardInterrupt as signal:  # stopping.Stopped, which has the name of the signal
            by = str(signal) or "SIGINT"
            _end(argv[0], f"stopped by {by}; what was finished is kept, and the same command goes on from there")
            return 1


def _main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m pinch", description=__doc__)
    parser.add_argument("--version", action="version", version=f"pinch {__version__}")
    commands = parser.add_subparsers(dest="link", metavar="LINK", required=True)
    for name, summary in LINKS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        # Only the link asked for is imported: starting one must not cost what another needs.
        if name in argv[:1]:
            import_module(f"pinch.{name}").add_arguments(command)
    arguments = parser.parse_args(argv)
    alone.join()
    try:
        check_outputs(vars(arguments))
        said = import_module(f"pinch.{arguments.link}").run(arguments)
        if said is not None:  # else the link has printed for itself: what programs read has no line of ours in it
            print(f"{arguments.link}: {printable(said)}", flush=True)
    except Exception as error:
        _end(arguments.link, why(error))
        return 1
    return 0


def _end(link: str, said: str) -> None:
    """One line, whatever was quoted in it: a file's text, a judge's reply, the message of an endpoint."""
    print(f"{link}: error: {error_line(said)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
