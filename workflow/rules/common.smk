import re
import sys
from pathlib import Path

WORKFLOW = Path(workflow.current_basedir).parent
sys.path.insert(0, str(WORKFLOW))

from pinch import LINK_VERSIONS as VERSION
from pinch import check, environment
from pinch.errors import PinchError
from pinch.experiment import Experiment, owner_name
from pinch.rows import write_json

OWNER = owner_name(workflow.configfiles, Path.cwd())

try:
    experiment = Experiment(check.parse(config))
    check.check_files(experiment)
    check.check_owner(experiment, OWNER)
except PinchError as error:
    sys.exit(f"{OWNER}: {error}")

environment.prepare(WORKFLOW, experiment.cache)

R = experiment.results
# Torch on two halves of a machine's cores is many times slower than on all of them one after the other.
ALL_CORES = workflow.cores or 8


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
    write_json(f"{R}/experiment.json", {"config": OWNER, "settings": config})
