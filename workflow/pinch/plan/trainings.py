"""How long a training is: rows, epochs, steps and tokens."""

import math
from collections.abc import Sequence
from statistics import fmean

from pinch.config import Finetune
from pinch.designs import TrainingSet
from pinch.plan.amounts import Spread
from pinch.plan.lengths import Length
from pinch.plan.work import Training


def settings(item: TrainingSet) -> Finetune:
    """Hyperparameters of a training set that is trained."""
    assert item.finetune is not None, "the untuned base model is not finetuned"
    return item.finetune


def shape(item: TrainingSet) -> tuple[int, float, int]:
    """Rows, epochs and optimizer steps of a training."""
    rows = sum(count for _, count in (*item.counts, *item.natural))
    chosen = settings(item)
    a_pass = math.ceil(rows / chosen.batch_size)
    if chosen.steps is not None:
        # The last step of an epoch takes the rows that are left.
        passes, rest = divmod(chosen.steps, a_pass)
        return rows, passes + min(1.0, rest * chosen.batch_size / rows), chosen.steps
    epochs = chosen.epochs or 1
    return rows, epochs, math.ceil(epochs * a_pass)


def tokens(training: Training, lengths: dict[str, Length]) -> float:
    """Training tokens of one model, padding left out: as they were, else as they will be."""
    if training.manifest:
        return float(training.manifest["tokens_seen"])
    item = training.item
    _, epochs, _ = shape(item)
    return epochs * sum(count * lengths[lang].training(settings(item)) for lang, count in (*item.counts, *item.natural))


def exact(training: Training, lengths: dict[str, Length]) -> bool:
    """Whether its tokens are counted, in all of its languages."""
    counted = all(lengths[lang].exact for lang, _ in (*training.item.counts, *training.item.natural))
    return training.manifest is not None or counted


def spreads(trainings: Sequence[Training], trained: Sequence[float], basis: str) -> list[Spread]:
    """What a model takes; `trained`: tokens of each, from `basis`."""
    if not trainings:
        return []
    shapes = [shape(training.item) for training in trainings]
    steps = "from epochs" if all(settings(training.item).steps is None for training in trainings) else "as given"
    return [
        _spread("rows", [rows for rows, _, _ in shapes], "of the training set"),
        _spread("epochs", [epochs for _, epochs, _ in shapes]),
        _spread("steps", [steps for _, _, steps in shapes], f"of the optimizer, {steps}"),
        _spread("training tokens", trained, basis),
    ]


def _spread(label: str, values: Sequence[float], basis: str = "") -> Spread:
    return Spread(label, min(values), fmean(values), max(values), basis)
