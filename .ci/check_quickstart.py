"""After `make quickstart`: every cell is there, the counts reconcile, and the tuned models beat their base."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow"))

import polars as pl
from pinch import check
from pinch.experiment import Experiment
from pinch.figures import Figures
from pinch.rows import read_json

experiment = Experiment(check.read("config.yaml"))
targets = [*experiment.targets(), *Figures(experiment).targets()]
for folder, langs, verdicts in experiment.cell_files():
    targets += [*(f"{folder}/{lang}.jsonl" for lang in langs), *verdicts]
missing = [target for target in targets if not Path(target).is_file() or not Path(target).stat().st_size]
assert not missing, f"not made: {missing}"

scores = pl.read_parquet(f"{experiment.results}/scores/scores.parquet")
assert scores.height == len(list(experiment.cells())), f"{scores.height} cells in the table"
assert (scores["wins"] + scores["ties"] + scores["losses"] == scores["n"]).all()
assert (scores["n"] + scores["invalid"] == experiment.n_prompts).all()
assert (scores.filter(pl.col("diagonal"))["score"] == 50).all()
judged = scores.filter(~pl.col("diagonal"))
assert judged["score"].n_unique() > 3, "the same score nearly everywhere: the judge does not discriminate"

for lang in experiment.columns:
    audit = read_json(experiment.judging.audit("rubric", lang))
    print(f"audit {lang}: {audit['status']}, agreement with the labels {audit['labels']['agreement']['score']:.1f}")
    assert audit["status"] == "ok", f"the rubric is flagged in {lang}: {audit['flags']}"
assert set(judged["audit"]) == {"ok"}

means = dict(judged.group_by("mixture").agg(pl.col("score").mean()).iter_rows())
untuned = means.pop("untuned")
for mixture, score in sorted(means.items(), key=lambda item: -item[1]):
    print(f"{mixture:16} {score:5.1f}")
    assert score > untuned, f"{mixture} does not beat the untuned base model ({untuned:.1f})"
print(f"{'untuned':16} {untuned:5.1f}")
