"""The whole chain on a tiny model, and what a change of the experiment would run: no more than its own jobs."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pinch.__main__ import main

from tests.harness import Run, job_counts, snapshot

FAN_IN = {"aggregate_audit": 2, "aggregate": 1, "compare": 1, "plot": 9, "answer": 1, "explorer": 1}
"""All rows changed: five figures of the matrix, that of the audit, one of each of the three designs, and the answer of
the pinch."""

UNTUNED_ALONE = {key: count for key, count in FAN_IN.items() if key != "answer"}
"""The row of the untuned model changed: whether the judge can be believed depends on all verdicts and stands on every
figure, so that all are drawn again."""

BASELINES = {"en": "en12", "es": "es12"}
CELLS = [(mixture, lang) for mixture in ("en12", "en9+es3", "untuned") for lang in ("en", "es")]
JUDGED = [(mixture, lang) for mixture, lang in CELLS if mixture != BASELINES[lang]]


def generation(run: Run, mixture: str, lang: str) -> Path:
    return run.results / "generations" / "tiny" / mixture / "d0t0" / f"{lang}.jsonl"


def judgment(run: Run, mixture: str, lang: str, judge: str = "rubric", baseline: str = "monolingual") -> Path:
    return run.results / "judgments" / judge / baseline / "tiny" / mixture / "d0t0" / f"{lang}.jsonl"


def target(run: Run, path: Path) -> str:
    """A file as one names it to Snakemake."""
    return path.relative_to(run.folder).as_posix()


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def scores(run: Run) -> dict[tuple[str, str], dict[str, Any]]:
    table = pl.read_parquet(run.results / "scores" / "scores.parquet")
    return {(row["mixture"], row["lang"]): row for row in table.iter_rows(named=True)}


# --- what a run makes ---


def test_every_cell_has_its_responses(finished: Run) -> None:
    prompts = rows(Path(finished.config["data"]["eval"]))[:4]
    for mixture, lang in CELLS:
        found = rows(generation(finished, mixture, lang))
        assert [row["id"] for row in found] == [row["id"] for row in prompts]
        assert {row["lang"] for row in found} == {lang}
        assert all(0 < row["n_tokens"] <= 8 for row in found)


def test_every_cell_off_the_diagonal_is_judged_in_both_orders(finished: Run) -> None:
    for mixture, lang in JUDGED:
        verdicts = rows(judgment(finished, mixture, lang))
        asked = Counter((row["id"], row["order"]) for row in verdicts)
        ids = [row["id"] for row in rows(generation(finished, mixture, lang))]
        assert asked == Counter((id, order) for id in ids for order in ("baseline_first", "candidate_first"))


def test_a_model_against_itself_is_50_and_never_judged(finished: Run) -> None:
    cell = scores(finished)["en12", "en"]
    assert (cell["score"], cell["diagonal"], cell["ties"]) == (50.0, True, 4)
    assert not judgment(finished, "en12", "en").exists()


def test_the_table_has_every_cell_and_its_counts_reconcile(finished: Run) -> None:
    table = scores(finished)
    assert sorted(table) == sorted(CELLS)
    for (mixture, lang), cell in table.items():
        assert cell["baseline"] == BASELINES[lang]
        assert cell["n"] == cell["wins"] + cell["ties"] + cell["losses"] + cell["invalid"] == 4
        assert cell["right_language"] + cell["wrong_language"] + cell["undetermined_language"] == 4
        assert cell["score"] == 100 * (cell["wins"] + cell["ties"] / 2) / 4
        if (mixture, lang) in JUDGED:
            winners: dict[str, list[str]] = {}
            for row in rows(judgment(finished, mixture, lang)):
                winners.setdefault(row["id"], []).append(row["winner"])
            assert cell["wins"] == sum(pair == ["candidate"] * 2 for pair in winners.values())
            assert cell["losses"] == sum(pair == ["baseline"] * 2 for pair in winners.values())


def test_the_models_differ_so_that_these_tests_mean_something(finished: Run) -> None:
    said = {mixture: generation(finished, mixture, "es").read_text() for mixture in ("en12", "en9+es3", "untuned")}
    assert len(set(said.values())) == 3
    assert len({cell["score"] for cell in scores(finished).values()}) > 1


def test_the_csv_holds_the_table(finished: Run) -> None:
    with (finished.results / "scores" / "scores.csv").open(encoding="utf-8", newline="") as file:
        found = {(row["mixture"], row["lang"]): float(row["score"]) for row in csv.DictReader(file)}
    assert found == {key: round(cell["score"], 3) for key, cell in scores(finished).items()}


@pytest.mark.parametrize("figure", ["heatmap-tiny-rubric", "response-language-tiny"])
def test_a_figure_is_there_as_image_document_and_numbers(finished: Run, figure: str) -> None:
    folder = finished.results / "figures"
    assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
    column = "score" if figure.startswith("heatmap") else "response_language_rate"
    with (folder / f"{figure}.csv").open(encoding="utf-8", newline="") as file:
        drawn = {(row["mixture"], row["lang"]): row[column] for row in csv.DictReader(file) if row["lang"] != "average"}
    for key, cell in scores(finished).items():
        assert drawn[key] == ("" if cell[column] is None else f"{cell[column]:.3f}")


def test_the_manifest_says_what_was_trained_on_what(finished: Run) -> None:
    folder = finished.results / "models" / "tiny" / "en9+es3" / "d0t0"
    manifest = json.loads((folder / "manifest.json").read_text())
    base = json.loads((finished.results / "base_models" / "tiny.json").read_text())
    drawn = json.loads((finished.results / "mixtures" / "en9+es3" / "d0.json").read_text())
    assert (manifest["base"], manifest["mixture"], manifest["seed"]) == ("tiny", "en9+es3", 0)
    assert manifest["base_digest"] == base["digest"]
    assert manifest["tokens_per_epoch"]["rows"] == drawn["counts"] == {"en": 9, "es": 3}
    assert manifest["optimizer_steps"] == len(manifest["loss_curve"]) == 3
    assert (manifest["hyperparameters"]["lr"], manifest["hyperparameters"]["lora_rank"]) == (0.005, 4)
    assert {"torch", "transformers", "trl", "peft"} <= manifest["libraries"].keys()
    assert all(len(manifest[key]) == 64 for key in ("data_digest", "weights_digest", "model_digest"))
    assert manifest["seconds"] > 0
    assert manifest["device"]


def test_only_languages_that_are_needed_are_translated(finished: Run) -> None:
    for split in ("train", "eval"):
        found = {path.stem for path in (finished.results / "translations" / split).iterdir()}
        assert found == {"en", "es"}  # and not ru, which the config has too


def test_the_baseline_that_is_no_row_answers_in_its_own_language_only(finished: Run) -> None:
    assert [path.name for path in generation(finished, "es12", "es").parent.glob("*.jsonl")] == ["es.jsonl"]


def test_the_base_model_is_loaded_once(first_output: str) -> None:
    assert first_output.count("model loaded in") == 1
    assert first_output.count("adapter changed in") == 3  # so many more of three rows and the Spanish baseline
    assert first_output.count("responses from the cache") == 6  # all cells but the first


def test_a_run_begins_with_a_plan_and_ends_with_its_answer(finished: Run, first_output: str) -> None:
    plan = json.loads((finished.results / "plan.json").read_text())
    assert (plan["amounts"]["trainings"]["whole"], plan["amounts"]["trainings"]["left"]) == (3, 3)
    assert "trainings" in (finished.results / "plan.md").read_text()
    answer = (finished.results / "answers" / "pinch-tiny-rubric.txt").read_text().splitlines()
    assert f"pinch: pinch-tiny-rubric: {answer[0]}" in first_output.splitlines()


def test_training_rows_that_nearly_repeat_a_prompt_are_reported(finished: Run) -> None:
    assert (finished.results / "sources" / "overlap.csv").read_text().startswith("train_id,eval_id,similarity,")


def test_a_change_of_settings_is_planned_anew(run: Run) -> None:
    run.edit(lambda config: config["plot"].update(colormap="viridis"))
    run.make()
    amounts = json.loads((run.results / "plan.json").read_text())["amounts"]
    assert (amounts["trainings"]["whole"], amounts["trainings"]["left"]) == (3, 0)


def test_paths_with_a_space_work(finished: Run) -> None:
    """Everything above was made with them."""
    config = finished.config
    places = [finished.folder.name, config["results"], config["cache"], config["base_models"][0]["path"]]
    assert all(" " in place for place in places)
    assert (finished.folder / config["cache"] / "generations").is_dir()


def test_a_report_needs_no_number_of_cores(run: Run) -> None:
    done = run.snakemake("--report", "report.html", cores="")
    assert done.returncode == 0, done.stdout
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert all(figure in page for figure in ("heatmap-tiny-rubric", "audit-rubric", "language-confusion-tiny"))


def test_lint_finds_nothing(finished: Run) -> None:
    done = finished.snakemake("--lint")
    assert done.returncode == 0, done.stdout


# --- what a next run would do ---


def test_nothing_is_left_to_do(run: Run) -> None:
    assert run.jobs() == {}


def test_the_order_of_keys_changes_nothing(run: Run) -> None:
    def turn(value: Any) -> Any:
        return {key: turn(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    config = turn(run.config)
    config["designs"] = [turn(design) for design in config["designs"]]
    run.write(config)
    assert run.jobs() == {}


def add_finnish(config: dict[str, Any]) -> None:
    config["languages"].append("fi")
    config["evaluation"]["languages"].append("fi")


def test_a_new_evaluation_language_runs_its_own_cells_and_its_baseline(run: Run) -> None:
    run.edit(add_finnish)
    assert run.jobs() == {
        "translate": 2,
        "build_mixture": 1,
        "finetune": 1,
        "generate": 4,  # three rows and the baseline
        "judge": 3,
        "aggregate_row": 3,
        "audit": 1,
        **FAN_IN,
        "aggregate_audit": 3,
        "translation_report": 1,
        "plot": 11,  # the table of languages too, and of translations
    }
    assert all("fi" in Path(file).stem or "/fi12/" in file for file in run.planned())


def test_a_new_evaluation_language_leaves_old_files_alone(run: Run) -> None:
    kept = ("generations", "judgments", "models", "mixtures", "translations", "base_models")
    before = {folder: snapshot(run.results / folder) for folder in kept}
    run.edit(add_finnish)
    run.make()
    for folder in kept:
        after = snapshot(run.results / folder)
        old = {path for path in before[folder] if not path.startswith("report.")}
        assert {path: before[folder][path] for path in old} == {path: after[path] for path in old}
    assert sorted(scores(run)) == sorted([*CELLS, *((mixture, "fi") for mixture in ("en12", "en9+es3", "untuned"))])
    assert run.jobs() == {}


def add_finnish_rows(config: dict[str, Any]) -> None:
    config["languages"].append("fi")
    config["designs"].append({"design": "monolingual", "languages": ["fi"], "evaluate": ["en"]})


@pytest.mark.parametrize("how", ["another percentage", "a custom set"])
def test_a_new_training_set_runs_its_own_chain(run: Run, how: str) -> None:
    def change(config: dict[str, Any]) -> None:
        if how == "another percentage":
            config["designs"][1]["percent"].append(25)
        else:
            config["designs"].append({"design": "custom", "rows": {"en": 11, "es": 1}})

    run.edit(change)
    assert run.jobs() == {
        "build_mixture": 1,
        "finetune": 1,
        "generate": 2,
        "judge": 2,
        "aggregate_row": 1,
        # What is asked again comes from the first three cells of a column: a set in their midst, or a third one.
        "audit": 2 if how == "another percentage" else 1,
        **(FAN_IN if how == "another percentage" else UNTUNED_ALONE),
    }
    assert all("/en11+es1/" in file for file in run.planned())


def test_a_setting_of_a_judge_judges_again_and_generates_nothing(run: Run) -> None:
    run.edit(lambda config: config["judges"][0].update(margin=9))
    assert run.jobs() == {"judge": 5, "audit": 2, "aggregate_row": 3, **FAN_IN}


def test_hyperparameters_of_one_training_set_run_its_own_chain(run: Run) -> None:
    run.edit(lambda config: config["designs"][1].update(finetune={"lr": 1e-3}))
    assert run.jobs() == {"finetune": 1, "generate": 2, "judge": 2, "audit": 2, "aggregate_row": 1, **FAN_IN}
    assert all("/en9+es3/" in file for file in run.planned())


def test_hyperparameters_of_a_baseline_judge_its_column_too(run: Run) -> None:
    run.edit(lambda config: config["designs"][0].update(finetune={"lr": 1e-3}))
    assert run.jobs() == {"finetune": 1, "generate": 2, "judge": 3, "audit": 2, "aggregate_row": 3, **FAN_IN}
    judged = {file for file in run.planned() if file.startswith("judgments/")}
    cells = [("en12", "es"), ("en9+es3", "en"), ("untuned", "en")]
    assert judged == {judgment(run, *cell).relative_to(run.results).as_posix() for cell in cells}


def test_lost_verdicts_are_judged_again_and_nothing_else(run: Run) -> None:
    judgment(run, "untuned", "es").unlink()
    assert run.jobs() == {"judge": 1, "audit": 1, "aggregate_row": 1, **UNTUNED_ALONE}


def test_lost_responses_bring_their_cell_again_and_nothing_else(run: Run) -> None:
    generation(run, "untuned", "es").unlink()
    assert run.jobs() == {"generate": 1, "judge": 1, "audit": 1, "aggregate_row": 1, **UNTUNED_ALONE}


def test_lost_responses_of_a_baseline_bring_its_column_again(run: Run) -> None:
    generation(run, "es12", "es").unlink()
    assert run.jobs() == {"generate": 1, "judge": 3, "audit": 1, "aggregate_row": 3, **FAN_IN}


def test_how_the_untuned_model_is_prompted_concerns_it_alone(run: Run) -> None:
    run.edit(lambda config: config["generate"].update(untuned_prompt="raw"))
    assert run.jobs() == {"generate": 2, "judge": 2, "audit": 2, "aggregate_row": 1, **UNTUNED_ALONE}
    assert all("/untuned/" in file for file in run.planned())


def test_decoding_trains_nothing(run: Run) -> None:
    run.edit(lambda config: config["generate"].update(max_new_tokens=9))
    assert run.jobs() == {"generate": 7, "judge": 5, "audit": 2, "aggregate_row": 3, **FAN_IN}


def test_a_missing_cell_asked_for_by_name_runs_only_what_it_needs(run: Run) -> None:
    verdicts = judgment(run, "untuned", "es")
    verdicts.unlink()
    judgment(run, "untuned", "en").unlink()
    assert run.jobs(target(run, verdicts)) == {"judge": 1}


def test_one_cell_from_nothing_runs_only_what_it_needs(run: Run) -> None:
    shutil.rmtree(run.results)
    # Both training sets, in the two languages that they have, and the prompts in one.
    assert run.jobs(target(run, judgment(run, "en9+es3", "es"))) == {
        "base_model": 1,
        "sources": 2,
        "translate": 3,
        "build_mixture": 2,
        "finetune": 2,
        "generate": 2,
        "judge": 1,
    }


def test_how_figures_look_draws_them_again_and_nothing_else(run: Run) -> None:
    run.edit(lambda config: config["plot"].update(colormap="viridis"))
    assert run.jobs() == {"plot": 11, "explorer": 1}  # which has the figures' colours


def test_arithmetic_reruns_no_judge(run: Run) -> None:
    run.edit(lambda config: config["aggregate"].update(resamples=300))
    assert run.jobs() == {"aggregate_row": 3, **FAN_IN}


def test_a_second_judge_judges_what_was_generated(run: Run) -> None:
    run.edit(lambda config: config["judges"].append({"engine": "rubric", "name": "strict", "margin": 0}))
    assert run.jobs() == {"judge": 5, "audit": 2, "aggregate_row": 3, **FAN_IN, "plot": 8}
    # Its own seven figures, and the length-controlled scores of the first, which are drawn from the table of all.
    assert all("/strict/" in file for file in run.planned())


@pytest.mark.long
def test_another_baseline_trains_and_generates_nothing(run: Run) -> None:
    run.edit(lambda config: config.update(judge={"baseline": "untuned"}))
    assert run.jobs() == {"judge": 4, "audit": 2, "aggregate_row": 3, **FAN_IN, "plot": 8}
    run.make()
    table = scores(run)
    assert {cell["baseline"] for cell in table.values()} == {"untuned"}
    assert [table["untuned", lang]["score"] for lang in ("en", "es")] == [50.0, 50.0]


def test_more_prompts_are_a_new_cell(run: Run) -> None:
    run.edit(lambda config: config["evaluation"].update(prompts=5))
    assert run.jobs() == {"generate": 7, "judge": 5, "audit": 2, "aggregate_row": 3, **FAN_IN}


def test_results_are_enough_without_the_cache(run: Run) -> None:
    shutil.rmtree(run.folder / run.config["cache"])
    assert run.jobs() == {}


def test_another_place_for_the_cache_changes_nothing(run: Run) -> None:
    run.edit(lambda config: config.update(cache="elsewhere"))
    assert run.jobs() == {}


# --- models that are not kept ---


@pytest.mark.long
def test_models_that_are_not_kept_are_gone_and_not_missed(run: Run) -> None:
    """What is there already stays; a model trained from now on goes when its responses are there."""
    run.edit(lambda config: config.update(models={"keep": "none"}))
    assert run.jobs() == {}
    before = snapshot(run.results / "generations")
    run.edit(add_finnish_rows)
    run.make()
    made = run.results / "models" / "tiny" / "fi12" / "d0t0"
    assert (made / "manifest.json").is_file()
    assert not (made / "weights").exists()
    assert (run.results / "models" / "tiny" / "es12" / "d0t0" / "weights").is_dir()
    after = snapshot(run.results / "generations")
    assert before == {path: after[path] for path in before}
    assert run.jobs() == {}
    # Neither figures nor verdicts that are made again ask for the model.
    shutil.rmtree(run.results / "judgments")
    shutil.rmtree(run.results / "figures")
    assert "finetune" not in run.jobs()


# --- unfinished experiments ---


def test_an_unfinished_experiment_is_drawn_with_what_is_missing_marked(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judgment(run, "untuned", "es").unlink()
    monkeypatch.chdir(run.folder)
    assert main(["draw", "tiny.yaml"]) == 0
    assert capsys.readouterr().out == "draw: 11 of 11 figures from 5 of 6 cells, in its results/partial\n"
    with (run.results / "partial" / "heatmap-tiny-rubric.csv").open(encoding="utf-8", newline="") as file:
        drawn = {(row["mixture"], row["lang"]): row["score"] for row in csv.DictReader(file)}
    assert drawn["untuned", "es"] == ""
    table = scores(run)
    assert all(drawn[key] == f"{table[key]['score']:.3f}" for key in table if key != ("untuned", "es"))


# --- caches and ownership ---


def test_a_lost_cell_comes_from_the_cache_without_loading_the_model(run: Run) -> None:
    cell = generation(run, "en9+es3", "es")
    before = cell.read_bytes()
    cell.unlink()
    output = run.make(target(run, cell))
    assert job_counts(output) == {"generate": 1}
    assert "4 responses from the cache" in output
    assert "model loaded" not in output
    assert cell.read_bytes() == before


def test_refresh_generates_anew(run: Run) -> None:
    cell = generation(run, "untuned", "es")
    before = cell.read_bytes()
    output = run.make("--force", target(run, cell), PINCH_REFRESH="1")
    assert "model loaded" in output
    assert "4 responses generated" in output
    assert cell.read_bytes() == before  # greedy decoding has no chance in it


def test_results_of_another_experiment_are_refused(run: Run) -> None:
    shutil.copy(run.folder / "tiny.yaml", run.folder / "other.yaml")
    before = snapshot(run.results)
    done = run.snakemake(config="other.yaml")
    assert done.returncode != 0
    assert "belongs to the experiment of tiny.yaml, not to other.yaml" in done.stdout
    assert "Traceback" not in done.stdout
    assert snapshot(run.results) == before
