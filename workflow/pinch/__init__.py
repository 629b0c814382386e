"""The library behind the workflow: one module (or small package) a link of the chain.

translate -> build_mixture -> finetune -> generate -> judge -> aggregate -> plot.
Links meet only through files; what they share is the ground they stand on: config, rows, languages,
caches and models.
"""

__version__ = "0.1.0"

LINK_VERSIONS = {
    "base_model": 1,
    "sources": 1,
    "translate": 2,
    "mixture": 2,
    "finetune": 3,
    "generate": 2,
    "judge": 2,
    "jury": 1,
    "audit": 1,
    "aggregate": 3,
    "compare": 1,
    "plot": 3,
    "answer": 2,
    "explorer": 1,
}
"""Raised by hand when an edit changes what a link writes: Snakemake cannot see edits of imported code."""
