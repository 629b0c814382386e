"""From an experiment and what is there of it to a plan."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pinch.config import LanguageModelJudge, OpenAIJudge
from pinch.config.plan import Plan as Settings
from pinch.designs import UNTUNED
from pinch.experiment import Experiment
from pinch.plan import auditing, judging, rates, sizes
from pinch.plan import trainings as trained
from pinch.plan.amounts import Amount, Plan, Rate, Unit
from pinch.plan.differences import shown
from pinch.plan.lengths import lengths, table
from pinch.plan.render import quantity
from pinch.plan.said import Said
from pinch.plan.savings import savings
from pinch.plan.texts import Texts, translation, translation_usd
from pinch.plan.work import Responses, Training, Work

Pair = tuple[float, float]
"""Of the whole experiment, and of what is left of it."""

BYTES_PER_TOKEN = 5
"""Of text in files: UTF-8, with what JSON adds."""

ROW = 500
"""Bytes of a row of responses besides the response: id, instruction, field names."""

VERDICT = 250
"""Bytes of a verdict."""


def make_plan(experiment: Experiment, assumed: Settings | None = None) -> Plan:
    """What an experiment takes, and what is left of it; files that exist are done. Nothing is fetched or written.

    `assumed`: what to reckon with where nothing was measured; the config's section `plan` unless given. Raises
    PinchError where a file that is there cannot be read.
    """
    assumed = assumed or experiment.config.plan
    return _Making(experiment, assumed).plan


class _Making:
    """Fills a plan, part by part: each needs what those before it found."""

    def __init__(self, experiment: Experiment, assumed: Settings) -> None:
        self.experiment = experiment
        self.config = experiment.config
        self.assumed = assumed
        self.work = Work(experiment)
        self.plan = Plan(experiment.results, designs=self.work.designs(), shown=shown(experiment))
        self.seconds: dict[str, Pair | None] = {}
        """GPU time by step; None where it is not counted."""
        self.usd: dict[str, Pair | None] = {}
        self._data()
        self._trainings()
        self._cells()
        self._judges()
        self._disk()
        self._time()
        self._notes()

    def _add(self, key: str, section: str, label: str, unit: Unit, pair: Pair, basis: str = "") -> None:
        self.plan.amounts[key] = Amount.of(section, label, unit, pair, basis)

    def _of_base(self, base: str) -> list[Training]:
        return [training for training in self.work.trainings if training.base == base]

    # --- data and tokens ---

    def _data(self) -> None:
        texts = Texts(self.experiment)
        self.plan.amounts |= translation(self.experiment, texts)
        usd = translation_usd(self.experiment, texts)
        if usd is not None:
            self.usd["translation"] = usd
        self.lengths = {
            spec.name: lengths(self.experiment, texts, spec, self._of_base(spec.name), self.assumed)
            for spec in self.config.base_models
        }
        for base, found in self.lengths.items():
            self.plan.languages += table(base, found, self.config.finetune)

    # --- training ---

    def _trainings(self) -> None:
        trainings = self.work.trainings
        left = [training for training in trainings if not training.done]
        sets = [item for name, item in self.experiment.training_sets.items() if name != UNTUNED]
        bases, seeds = self.experiment.base_names(), self.experiment.seeds()
        unfinished = {training.item.name for training in left}
        self._add("base_models", "training", "base models", "number", (len(bases), len({t.base for t in left})))
        self._add("training_sets", "training", "training sets", "number", (len(sets), len(unfinished)))
        many = f"training sets x {_many(seeds, 'seed')} x {_many(bases, 'base model')}"
        self._add("trainings", "training", "trainings", "number", (len(trainings), len(left)), many)
        tokens = {id(training): trained.tokens(training, self.lengths[training.base]) for training in trainings}
        exact = all(trained.exact(training, self.lengths[training.base]) for training in trainings)
        basis = "by the table of languages" + ("" if exact else "; in part scaled or assumed")
        pair = (sum(tokens.values()), sum(tokens[id(training)] for training in left))
        self._add("train_tokens", "training", "training tokens", "tokens", pair, basis)
        self.plan.models = trained.spreads(trainings, list(tokens.values()), basis)
        self.seconds["training"] = (0.0, 0.0)
        for base in bases:
            rate = rates.train_rate(base, self._of_base(base), self.assumed)
            whole = sum(tokens[id(training)] for training in self._of_base(base))
            rest = sum(tokens[id(training)] for training in left if training.base == base)
            self._spend("training", rate, (whole, rest))

    def _spend(self, step: str, rate: Rate, tokens: Pair) -> None:
        self.plan.rates.append(rate)
        so_far = self.seconds[step]
        if rate.per_second is None or so_far is None:
            self.seconds[step] = None if tokens[0] else so_far
            return
        self.seconds[step] = (so_far[0] + tokens[0] / rate.per_second, so_far[1] + tokens[1] / rate.per_second)

    # --- generation ---

    def _cells(self) -> None:
        cells, prompts = self.work.responses, self.experiment.n_prompts
        left = [cell for cell in cells if not cell.done]
        judged = [
            (mixture, lang) for mixture in self.experiment.rows for lang in self.experiment.judged_languages(mixture)
        ]
        times = len(self.experiment.seeds()) * len(self.experiment.base_names())
        untuned = sum(mixture == UNTUNED for mixture, _ in judged) * times
        tuned = len(judged) * times - untuned
        waiting = {(v.base, v.mixture, v.seed, v.lang) for v in self.work.verdicts if not v.done}
        waiting_untuned = sum(mixture == UNTUNED for _, mixture, _, _ in waiting)
        pair = (tuned, len(waiting) - waiting_untuned)
        self._add("judged_cells", "cells", "judged cells, tuned models", "number", pair, "distinct, off the diagonal")
        self._add("judged_untuned", "cells", "judged cells, untuned", "number", (untuned, waiting_untuned))
        basis = "each model in each of its languages, and where it is the baseline"
        self._add("cells", "cells", "cells with responses", "number", (len(cells), len(left)), basis)
        basis = f"{prompts:,} prompts a cell"
        self._add("responses", "cells", "responses", "number", (len(cells) * prompts, len(left) * prompts), basis)
        self._generated(cells, left)

    def _generated(self, cells: Sequence[Responses], left: Sequence[Responses]) -> None:
        prompts, most = self.experiment.n_prompts, self.config.generate.max_new_tokens
        self.said = {
            base: Said([cell for cell in cells if cell.base == base], most) for base in self.experiment.base_names()
        }
        self.seconds["generation"] = (0.0, 0.0)
        total = (0.0, 0.0)
        for base, said in self.said.items():
            rest = sum(said.mean(cell.lang) * prompts for cell in left if cell.base == base)
            total = (total[0] + said.tokens + rest, total[1] + rest)
            logs = Path(self.experiment.results, "logs", "generate", base)
            rate = rates.generate_rate(base, logs, self._of_base(base), self.assumed)
            self._spend("generation", rate, (said.tokens + rest, rest))
        many = sum(said.responses for said in self.said.values())
        known = all(said.responses for said in self.said.values())
        basis = f"measured on {many:,} responses" if known else f"at most {most} a response"
        self._add("generated_tokens", "cells", "generated tokens", "tokens", total, basis)

    # --- judging ---

    def _judges(self) -> None:
        self.seconds["judging"] = (0.0, 0.0)
        verdicts = [0, 0]
        for judge in self.config.judges:
            pieces = [piece for piece in self.work.verdicts if piece.judge == judge.name]
            known = judging.Known(self.experiment, judge)
            total = judging.asked(self.experiment, judge, pieces, known)
            audit = auditing.asked(self.experiment, judge, known)
            cost = judging.cost(judge, total, audit, self.lengths, self.said)
            self.plan.amounts |= cost.amounts
            verdicts = [verdicts[0] + total.verdicts, verdicts[1] + total.left]
            if not isinstance(judge, LanguageModelJudge):
                continue
            self.plan.savings[judge.name] = savings(self.plan.designs, self.experiment.n_prompts, total)
            if cost.usd is not None:
                self.usd[f"judge {judge.name}"] = cost.usd
                self._check_limit(judge, cost.usd[0])
            else:
                self._spend("judging", rates.judge_rate(judge.name, self.assumed), cost.tokens)
        if len(self.config.judges) > 1:
            self._add("verdicts", "judging", "verdicts of all judges", "number", (verdicts[0], verdicts[1]))

    def _check_limit(self, judge: LanguageModelJudge, usd: float) -> None:
        if isinstance(judge, OpenAIJudge) and judge.max_usd is not None and usd > judge.max_usd:
            estimate, limit = (quantity(value, "usd") for value in (usd, judge.max_usd))
            self.plan.notes.append(
                f"Judge {judge.name} is reckoned to cost {estimate} US dollars, above its max_usd of {limit}: the run "
                "will stop before it spends more than that."
            )

    # --- what it comes to ---

    def _disk(self) -> None:
        specs = self.experiment.base_models
        measured = {name: sizes.measure(spec, self.experiment.cache, self.assumed) for name, spec in specs.items()}
        amounts = self.plan.amounts
        amounts["disk_base_models"] = sizes.base_amount(specs, measured)
        amounts["disk_models"] = sizes.tuned_amount(self.config, self.assumed, self.work.trainings, measured)
        verdicts = [amount for key, amount in amounts.items() if key.startswith("verdicts:")]
        written = self._translated_bytes()
        both = [
            # Responses lie in the results and in the cache.
            2 * (BYTES_PER_TOKEN * amounts["generated_tokens"].pair[place] + ROW * amounts["responses"].pair[place])
            + VERDICT * sum(amount.pair[place] for amount in verdicts)
            + written[place]
            for place in (0, 1)
        ]
        self._add("disk_small", "disk", "translations, responses, verdicts", "bytes", (both[0], both[1]), "about")

    def _translated_bytes(self) -> Pair:
        first = self.lengths[self.experiment.base_names()[0]]
        rows = {
            "train": self.experiment.available.parallel + self.config.data.held_out,
            "eval": self.experiment.n_prompts,
        }
        whole = left = 0.0
        for split, count in rows.items():
            for lang in (self.config.pivot, *self.experiment.translations.languages(split)):
                size = count * (ROW + BYTES_PER_TOKEN * first[lang].training(self.config.finetune))
                whole += size
                if not Path(self.experiment.results, "translations", split, f"{lang}.jsonl").is_file():
                    left += size
        return whole, left

    def _time(self) -> None:
        add = partial(self._add, section="time and money")
        counted = [pair for pair in self.seconds.values() if pair]
        for step, pair in self.seconds.items():
            if pair is None:
                self.plan.amounts[f"gpu_hours_{step}"] = Amount(
                    "time and money", f"GPU-hours, {step}", "hours", None, None, "not counted, see rates"
                )
            elif step != "judging" or pair[0]:
                add(f"gpu_hours_{step}", label=f"GPU-hours, {step}", unit="hours", pair=_hours(pair))
        gpu = (sum(pair[0] for pair in counted), sum(pair[1] for pair in counted))
        gpus = self.assumed.gpus
        name = "1 GPU" if gpus == 1 else f"{gpus} GPUs"
        wall = (gpu[0] / gpus, gpu[1] / gpus)
        basis = "if none of them waits; loading of models is not counted"
        uncounted = [step for step, pair in self.seconds.items() if pair is None]
        basis += f", nor is {uncounted[0]}" if uncounted else ""
        add("wall_hours", label=f"hours on {name}", unit="hours", pair=_hours(wall), basis=basis)
        if self.assumed.usd_per_gpu_hour is not None:
            price = self.assumed.usd_per_gpu_hour
            self.usd = {"GPUs": (gpu[0] / 3600 * price, gpu[1] / 3600 * price), **self.usd}
        for what, spent in self.usd.items():
            if spent is not None:
                add(f"usd:{what}", label=f"US dollars, {what}", unit="usd", pair=spent)

    def _notes(self) -> None:
        notes = self.plan.notes
        notes.append(
            "Files that exist count as done, whatever settings they were made with; `snakemake -n` says which of them "
            "a changed config makes anew."
        )
        selecting = {
            trained.settings(training.item).select for training in self.work.trainings if not training.done
        } - {"last"}
        if selecting:
            notes.append(f"Choosing a checkpoint by {' and '.join(sorted(selecting))} takes time that is not counted.")
        if any(rate.origin.startswith("assumed") for rate in self.plan.rates):
            notes.append(
                "Assumed rates may be off by several times; the first model that is trained and responds measures them."
            )
        if not self.usd:
            notes.append(
                "No money is counted: plan.usd_per_gpu_hour and the prices of engines and judges are not given."
            )


def _many(things: Sequence[str], name: str) -> str:
    return f"{len(things)} {name}" + ("s" if len(things) != 1 else "")


def _hours(pair: Pair) -> Pair:
    return pair[0] / 3600, pair[1] / 3600
