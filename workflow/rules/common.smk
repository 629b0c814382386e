import gc
import re
import sys
from functools import cache, partial
from pathlib import Path

WORKFLOW = Path(workflow.current_basedir).parent
sys.path.insert(0, str(WORKFLOW))

from pinch import LINK_VERSIONS as VERSION
from pinch import alone, check, environment, explored, record
from pinch.asked import by, each
from pinch.compositions import MIXTURE
from pinch.config.fields import FIGURE, NAME
from pinch.errors import PinchError
from pinch.experiment import Experiment, owner_name
from pinch.figures import Figures
from pinch.lost import lost_files
from pinch.printable import error_line
from pinch.rows import digest

# What a plan allocates, it keeps: Python would look through all jobs again and again for what may be freed, a tenth of
# the time that planning takes.
gc.set_threshold(50_000, 20, 50)

OWNER = owner_name(workflow.configfiles, Path.cwd())

try:
    check.check_configfiles(workflow.configfiles)
    experiment = Experiment(check.parse(config))
    figures = Figures(experiment)
    check.check_files(experiment)
    record.check_owner(experiment, OWNER)
except PinchError as error:
    sys.exit(error_line(f"{OWNER}: {error}"))

environment.prepare(WORKFLOW, experiment.cache, experiment.finetune_transport())
alone.prepare(experiment.results)
if unlocked := alone.unlock_dead(Path(".snakemake")):
    print(unlocked, file=sys.stderr, flush=True)
# Who signals a job signals its shell and `tee` too. They wait for the command, which knows what to do with a signal: the
# shell's end would be taken for the job's, amid its last words.
shell.prefix("set -euo pipefail; trap '' TERM INT USR1; ")

R = experiment.results
# Torch on two halves of a machine's cores is many times slower than on all of them one after the other.
# Not workflow.cores, which is an error where none were given, as in `snakemake --report`.
ALL_CORES = workflow.resource_settings.cores or 8
by_judge = partial(each, name="judge", values=experiment.judging.judges)
by_mixture = partial(each, name="mixture", values=experiment.training_sets)
# Snakemake deletes a temporary file once all that reads it is done, and does not miss it afterwards.
KEPT = (lambda file: file) if experiment.config.models.keep == "all" else temp


# Jobs of a second, and those that need the network: on a cluster none of them is worth a place in the queue.
localrules:
    aggregate,
    aggregate_audit,
    aggregate_row,
    answer,
    audit_jury,
    build_mixture,
    compare,
    explorer,
    jury,
    overlap,
    plot,
    sources,
    strict,
    translation_report,


wildcard_constraints:
    split="train|eval",
    lang=r"[a-z]{2,3}",
    draw=r"d\d+",
    seed=r"d\d+t\d+",
    base=NAME,
    mixture=MIXTURE,
    judge=NAME,
    baseline=re.escape(experiment.config.judge.baseline),


onstart:
    try:
        alone.hold(experiment.results, Path(".snakemake"))
        record.begin(experiment, OWNER, config)
        record.write_arguments(figures)
    except PinchError as error:
        sys.exit(error_line(f"{OWNER}: {error}"))
    except OSError as error:
        sys.exit(f"{OWNER}: {error.strerror}: {error.filename}")


onsuccess:
    record.finish(experiment)
    print(record.summary(figures))
