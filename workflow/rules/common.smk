import gc
import re
import sys
from functools import cache, partial
from pathlib import Path

WORKFLOW = Path(workflow.current_basedir).parent
sys.path.insert(0, str(WORKFLOW))

from pinch import LINK_VERSIONS as VERSION
from pinch import alone, check, environment, record
from pinch.asked import by, each
from pinch.errors import PinchError
from pinch.experiment import Experiment, owner_name
from pinch.figures import Figures
from pinch.lost import lost_files
from pinch.rows import digest

# What a plan allocates, it keeps: Python would look through all jobs again and again for what may be freed, a tenth of
# the time that planning takes.
gc.set_threshold(50_000, 20, 50)

OWNER = owner_name(workflow.configfiles, Path.cwd())

try:
    experiment = Experiment(check.parse(config))
    figures = Figures(experiment)
    check.check_files(experiment)
    record.check_owner(experiment, OWNER)
except PinchError as error:
    sys.exit(f"{OWNER}: {error}")

environment.prepare(WORKFLOW, experiment.cache)
alone.prepare(experiment.results)
if unlocked := alone.unlock_dead(Path(".snakemake")):
    print(unlocked, file=sys.stderr, flush=True)

R = experiment.results
# Torch on two halves of a machine's cores is many times slower than on all of them one after the other.
# Not workflow.cores, which is an error where none were given, as in `snakemake --report`.
ALL_CORES = workflow.resource_settings.cores or 8
by_judge = partial(each, name="judge", values=experiment.judging.judges)
by_mixture = partial(each, name="mixture", values=experiment.training_sets)
# Snakemake deletes a temporary file once all that reads it is done, and does not miss it afterwards.
KEPT = (lambda file: file) if experiment.config.models.keep == "all" else temp


wildcard_constraints:
    split="train|eval",
    lang=r"[a-z]{2,3}",
    draw=r"d\d+",
    seed=r"d\d+t\d+",
    base=r"[^/]+",
    mixture=r"[^/]+",
    judge=r"[^/]+",
    baseline=re.escape(experiment.config.judge.baseline),


onstart:
    try:
        alone.hold(experiment.results, Path(".snakemake"))
        record.begin(experiment, OWNER, config)
        record.write_arguments(figures)
    except PinchError as error:
        sys.exit(f"{OWNER}: {error}")
    except OSError as error:
        sys.exit(f"{OWNER}: {error.strerror}: {error.filename}")


onsuccess:
    record.finish(experiment)
    print(record.summary(figures))
