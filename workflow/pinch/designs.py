"""Designs: what should be compared, as the config writes it down, and the training sets that follow from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from pinch import languages
from pinch.compositions import (
    Counts,
    draw_orders,
    draw_pairs,
    even_split,
    largest_remainder,
    mixture_name,
    pinch_counts,
)
from pinch.config import (
    AnyDesign,
    Config,
    Custom,
    Design,
    Finetune,
    Incremental,
    Monolingual,
    Pairs,
    Pinch,
    Untuned,
)
from pinch.config.models import TRAINING_TRANSPORT
from pinch.errors import PinchError
from pinch.faults import explain

UNTUNED = "untuned"


@dataclass(frozen=True)
class TrainingSet:
    """A row of the matrix: what a model is tuned on, and how."""

    name: str
    counts: Counts
    """Rows by language of the parallel data, in the experiment's order of languages; empty for the untuned model."""
    finetune: Finetune | None
    label: str
    natural: Counts = ()
    """Rows by language of the natural data."""

    @property
    def langs(self) -> list[str]:
        """The languages that it has rows of."""
        return list(dict.fromkeys(lang for lang, _ in (*self.counts, *self.natural)))


@dataclass(frozen=True)
class Available:
    """How many rows there are to draw from."""

    parallel: int
    """Source rows of data.train less those held out."""
    natural: Mapping[str, int] = field(default_factory=dict)
    """Rows of data.natural by language."""


@dataclass
class Comparison:
    """A design, expanded: its training sets, where they are evaluated, and what its figure is made of."""

    design: AnyDesign
    key: str
    """Its place in the config."""
    name: str
    """What its figure's files are called."""
    n_rows: int
    """Rows of its training sets."""
    labels: dict[str, str] = field(default_factory=dict)
    """Its training sets, by name, and what its figure calls them; all that it needs, in order."""
    asked: dict[str, list[str]] = field(default_factory=dict)
    """The evaluation languages of each."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What its kind of figure is told besides: see pinch.plot."""
    companions: set[str] = field(default_factory=set)
    """Training sets that it only compares with: a pinch's P = 0, the two halves of a pair."""


class Designs:
    """The designs of a config, expanded. Raises PinchError naming the key where they do not fit."""

    def __init__(self, config: Config, n_rows: int, available: Available) -> None:
        self.config = config
        self.n_rows = n_rows
        self.available = available
        self.sets: dict[str, TrainingSet] = {}
        """The training sets asked for, by name, each once, whichever designs ask for it."""
        self._by_the_way: set[str] = set()
        self.comparisons = list(self._expand())
        names: set[str] = set()
        for comparison in self.comparisons:
            if comparison.name in names:
                raise PinchError(
                    f"{comparison.key}.name: two designs are called {comparison.name!r}; give one a `name` of its own"
                )
            names.add(comparison.name)

    @cached_property
    def asked(self) -> dict[str, list[str]]:
        """The evaluation languages of each training set: all that some design asks for."""
        wanted: dict[str, set[str]] = {}
        for comparison in self.comparisons:
            for mixture, langs in comparison.asked.items():
                wanted.setdefault(mixture, set()).update(langs)
        return {mixture: [lang for lang in self.config.languages if lang in langs] for mixture, langs in wanted.items()}

    def monolingual(self, lang: str) -> TrainingSet:
        """All rows in one language, trained as the config's section `finetune` says."""
        return self._set({lang: self.n_rows}, languages.name(lang), Monolingual(design="monolingual"), "")

    # --- expansion ---

    def _expand(self) -> Iterator[Comparison]:
        kinds: dict[str, int] = {}
        for index, design in enumerate(self.config.designs):
            kinds[design.design] = kinds.get(design.design, 0) + 1
            number = f"-{kinds[design.design]}" if kinds[design.design] > 1 else ""
            name, key = design.name or f"{design.design}{number}", f"designs[{index}]"
            self._check_languages(design, key)
            if isinstance(design, Untuned):
                comparison = Comparison(design, key, name, 0)
                known = self.sets.setdefault(UNTUNED, TrainingSet(UNTUNED, (), None, design.label or "untuned"))
                comparison.labels[UNTUNED] = known.label
                comparison.asked[UNTUNED] = self._columns(design, key, [])
                yield comparison
                continue
            budgets = design.budget or [self.n_rows]
            for budget in budgets:
                if budget > self.available.parallel:
                    raise PinchError(
                        f"{key}.budget: {budget} rows are wanted, data.train has {self.available.parallel} to draw from"
                    )
                suffix = f"-{budget}" if len(budgets) > 1 else ""
                comparison = Comparison(design, key, name + suffix, budget)
                self._fill(comparison, design)
                made = len(comparison.labels) - len(comparison.companions)
                if design.label and made > 1:
                    raise PinchError(f"{key}.label: names one training set, but this design makes {made}; leave it out")
                yield comparison

    def _fill(self, to: Comparison, design: Design) -> None:
        if isinstance(design, Monolingual):
            self._monolingual(to, design)
        elif isinstance(design, Pinch):
            self._pinch(to, design)
        elif isinstance(design, Incremental):
            self._incremental(to, design)
        elif isinstance(design, Pairs):
            self._pairs(to, design)
        elif isinstance(design, Custom):
            self._custom(to, design)

    def _monolingual(self, to: Comparison, design: Monolingual) -> None:
        langs = self.config.languages if design.languages is None else design.languages
        columns = self._columns(design, to.key, langs)
        to.facts["models"] = [[lang, self._add(to, {lang: to.n_rows}, languages.name(lang), columns)] for lang in langs]

    def _pinch(self, to: Comparison, design: Pinch) -> None:
        pivot = self.config.pivot
        langs = self._ordered(design.languages)
        columns = self._columns(design, to.key, langs)
        points = []
        for percent in sorted({0.0, *design.percent}):
            counts = pinch_counts(percent, to.n_rows, langs, pivot)
            absent = [lang for lang in langs if lang not in counts] if percent else []
            if absent:
                raise PinchError(
                    f"{to.key}.percent: {percent:g} % of {to.n_rows} rows leaves no row for {', '.join(absent)}; "
                    "use a larger percentage, more rows or fewer languages"
                )
            among = " + ".join(langs) if len(langs) <= 4 else f"{len(langs)} languages"
            label = f"pinch {percent:g} %\n({among})" if percent else languages.name(pivot)
            mixture = self._add(to, counts, label, columns, companion=not percent)
            points.append([percent, mixture, to.n_rows - counts[pivot]])
        to.facts |= {"points": points, "seen": langs}

    def _incremental(self, to: Comparison, design: Incremental) -> None:
        orders = design.orders
        if isinstance(orders, int):
            try:
                orders = draw_orders(self._ordered(design.languages or []), orders, design.seed or 0)
            except PinchError as error:
                raise PinchError(f"{to.key}.orders: {error}") from None
        trained = self._ordered({lang for order in orders for lang in order})
        columns = self._columns(design, to.key, trained)
        sizes: dict[str, list[str]] = {}
        for size in range(1, max(map(len, orders)) + 1):
            for order in orders:
                if size > len(order):
                    continue
                counts = even_split(to.n_rows, self._ordered(order[:size]), self.config.pivot)
                label = " + ".join(counts) if len(counts) > 1 else languages.name(order[0])
                mixture = self._add(to, counts, label, columns)
                if mixture not in sizes.setdefault(str(size), []):
                    sizes[str(size)].append(mixture)
        to.facts |= {"sizes": sizes, "seen": trained}

    def _pairs(self, to: Comparison, design: Pairs) -> None:
        pairs = design.pairs or draw_pairs(self._ordered(design.languages or []), design.seed or 0)
        to.facts["pairs"] = []
        for pair in pairs:
            columns = self._columns(design, to.key, pair)
            alone = [self._add(to, {lang: to.n_rows}, languages.name(lang), columns, companion=True) for lang in pair]
            counts = even_split(to.n_rows, self._ordered(pair), self.config.pivot)
            mixture = self._add(to, counts, " + ".join(counts), columns)
            to.facts["pairs"].append({"languages": pair, "monolingual": alone, "pair": mixture, "columns": columns})

    def _custom(self, to: Comparison, design: Custom) -> None:
        if design.shares:
            shares = {lang: design.shares[lang] for lang in self._ordered(design.shares)}
            counts = largest_remainder(to.n_rows, shares, self.config.pivot)
            absent = [lang for lang, rows in counts.items() if not rows]
            if absent:
                raise PinchError(
                    f"{to.key}.shares: of {to.n_rows} rows none is left for {', '.join(absent)}; give it a larger share"
                )
        else:
            counts = dict(design.rows or {})
            total = sum(counts.values())
            if design.data == "parallel" and total > self.available.parallel:
                raise PinchError(
                    f"{to.key}.rows: {total} rows are wanted, data.train has {self.available.parallel} to draw from"
                )
        label = " + ".join(f"{rows} {lang}" for lang, rows in counts.items())
        self._add(to, counts, label, self._columns(design, to.key, list(counts)))

    # --- what the kinds have in common ---

    def _add(
        self, to: Comparison, counts: dict[str, int], label: str, columns: list[str], companion: bool = False
    ) -> str:
        """Ask for a training set with these counts, evaluated on these languages; its name."""
        design = to.design
        assert isinstance(design, Design)
        if to.n_rows != self.n_rows and not isinstance(design, Custom):
            label = f"{label}, {to.n_rows} rows"
        # Without a variant's name, what a design only compares with is trained as everything else is.
        own = not companion or design.variant
        item = self._set(
            counts,
            label,
            design if own else design.model_copy(update={"finetune": {}}),
            f"{to.key}.",
            None if companion else design.label,
        )
        self._check_selection(item, to.key)
        for lang, rows in item.natural:
            there = self.available.natural.get(lang, 0)
            if rows > there:
                raise PinchError(
                    f"{to.key}.data: {rows} natural rows of {lang} are wanted, data.natural has {there}; "
                    "add rows, or ask for fewer (`budget`)"
                )
        known = self.sets.get(item.name)
        if known is None or (item.name in self._by_the_way and not companion):
            self.sets[item.name] = known = item
            (self._by_the_way.add if companion else self._by_the_way.discard)(item.name)
        # What a design only compares with is taken as another design has it.
        if known.finetune != item.finetune and not companion:
            raise PinchError(
                f"{to.key}.finetune: {item.name} is also asked for with other hyperparameters; "
                "give one of the two a `variant` name"
            )
        to.labels.setdefault(item.name, item.label)
        if companion:
            to.companions.add(item.name)
        asked = to.asked.setdefault(item.name, [])
        asked += [lang for lang in columns if lang not in asked]
        return item.name

    def _set(
        self, counts: dict[str, int], label: str, design: Design, key: str, given_label: str | None = None
    ) -> TrainingSet:
        pivot = self.config.pivot
        ordered = tuple((lang, counts[lang]) for lang in self.config.languages if lang in counts)
        native = design.data == "natural"
        parallel = tuple(part for part in ordered if not native or part[0] == pivot)
        natural = tuple(part for part in ordered if native and part[0] != pivot)
        for name in TRAINING_TRANSPORT:
            if name in design.finetune:
                raise PinchError(f"{key}finetune.{name}: holds for all training sets; move it to the section finetune")
        given = self.config.finetune.model_dump()
        # Steps and epochs say the same thing in two ways: the design's way replaces the section's.
        for one, other in (("steps", "epochs"), ("epochs", "steps")):
            if one in design.finetune:
                given.pop(other, None)
        settings: dict[str, Any] = given | design.finetune
        try:
            finetune = Finetune.model_validate(settings)
        except ValidationError as error:
            raise PinchError(f"{key}finetune.{explain(error, settings)}") from None
        label = f"{label}, natural" if natural else label
        named = given_label or (f"{label}, {design.variant}" if design.variant else label)
        return TrainingSet(mixture_name(parallel, pivot, design.variant, natural), parallel, finetune, named, natural)

    def _check_selection(self, item: TrainingSet, key: str) -> None:
        """A checkpoint is chosen by development rows in the set's own languages: are there any?"""
        if item.finetune is None or item.finetune.select == "last":
            return
        where = f"{key}.finetune.select" if item.finetune.select != self.config.finetune.select else "finetune.select"
        if not self.config.data.held_out:
            raise PinchError(f"{where}: {item.finetune.select} needs development rows; set data.held_out to 250, say")
        if item.natural:
            raise PinchError(
                f"{where}: {item.name} has natural rows, of which none are held out; let it be `select: last`"
            )

    def _ordered(self, langs: Any) -> list[str]:
        return [lang for lang in self.config.languages if lang in langs]

    def _columns(self, design: AnyDesign, key: str, trained: list[str]) -> list[str]:
        default = self.config.evaluation_languages
        if design.evaluate is None:
            return default
        if design.evaluate != "unseen":
            return self._ordered(design.evaluate)
        unseen = [lang for lang in default if lang not in trained]
        if not unseen:
            raise PinchError(f"{key}.evaluate: no evaluation language is unseen; name languages, or add some")
        return unseen

    def _check_languages(self, design: AnyDesign, key: str) -> None:
        """Every language that a design names is one of the experiment."""
        known = self.config.languages
        named: list[tuple[str, str]] = []
        if isinstance(design.evaluate, list):
            named += [("evaluate", lang) for lang in design.evaluate]
        if isinstance(design, Custom):
            named += [("rows", lang) for lang in design.rows or ()] + [("shares", lang) for lang in design.shares or ()]
        elif not isinstance(design, Untuned):
            named += [("languages", lang) for lang in getattr(design, "languages", None) or ()]
        if isinstance(design, Incremental) and not isinstance(design.orders, int):
            named += [(f"orders[{index}]", lang) for index, order in enumerate(design.orders) for lang in order]
        if isinstance(design, Pairs):
            named += [(f"pairs[{index}]", lang) for index, pair in enumerate(design.pairs or ()) for lang in pair]
        for part, lang in named:
            if lang not in known:
                raise PinchError(f"{key}.{part}: {lang} is not among languages ({', '.join(known)}); add it there too")
        if isinstance(design, Pinch) and self.config.pivot not in design.languages:
            raise PinchError(f"{key}.languages: a pinch has the pivot {self.config.pivot} among its languages")


def check_languages(config: Config) -> None:
    """The pivot and the evaluation languages are of the experiment. Raises PinchError naming the key."""
    known = ", ".join(config.languages)
    if config.pivot not in config.languages:
        raise PinchError(f"pivot: {config.pivot} is not among languages ({known}); add it")
    for lang in config.evaluation.languages or []:
        if lang not in config.languages:
            raise PinchError(f"evaluation.languages: {lang} is not among languages ({known}); add it there too")
