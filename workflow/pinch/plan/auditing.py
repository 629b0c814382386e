"""What the audit of a judge would ask: both orders of pairs with a known winner, and of a sample once more."""

from pathlib import Path

from pinch.config import AnyJudge, LanguageModelJudge
from pinch.experiment import Experiment
from pinch.plan.judging import Asked, Known
from pinch.rows import AuditRow, read_rows


def asked(experiment: Experiment, judge: AnyJudge, known: Known) -> Asked:
    """What is asked for the audits of a judge in all languages, at most; nothing of one that asks nobody.

    A pair of a sample may come up less often than the config says, and so may a contrast pair. Raises PinchError where
    the labelled set or an audit that is there cannot be read.
    """
    total = Asked()
    if not isinstance(judge, LanguageModelJudge):
        return total
    # A plan speaks of all links: which questions of a labelled set the cache knows only the audit can say.
    from pinch.audit.pairs import labelled_pairs

    settings, judging = experiment.config.audit, experiment.judging
    for lang in judging.audited_languages():
        path = Path(judging.audit(judge.name, lang)).with_suffix(".jsonl")
        if path.is_file():
            total.count_done(read_rows(path, AuditRow, unique=("part", "source", "kind", "id", "order")))
            continue
        base = judging.cells(lang)[0][0]
        inputs = experiment.audit_inputs(judge.name, lang)
        if "labelled" in inputs:
            pairs = [item.pair for item in labelled_pairs(inputs["labelled"], lang)]
            found = [known.replies_to(pair.candidate, pair.baseline, pair.reference) for pair in pairs]
            cached, repeated = (sum(counts) for counts in zip(*found, strict=True)) if found else (0, 0)
            total.add(base, lang, 2 * len(pairs), cached, repeated=repeated)
        elif "contrast" in inputs:
            total.add(base, lang, 2 * settings.contrast)
        total.add(base, lang, 2 * settings.repeats)
    return total
