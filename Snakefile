# How much multilingual data does it take to make a language model follow instructions in many languages?
#
#            translate -> build_mixture -> finetune -> generate -> judge -> aggregate -> plot
#  English   every       one training    one model    responses   verdicts  scores      figures
#  data      language    set's rows      (weights)    a cell      a cell    (table)
#
# A cell is one training set (a row of the matrix) evaluated in one language (a column).
# The whole matrix:  snakemake --cores all
# One cell:          snakemake --cores all results/judgments/rubric/monolingual/BASE/es48/d0t0/it.jsonl

from snakemake.utils import min_version

min_version("9.20")


# The default stays out of an experiment given by --configfile: Snakemake would merge it under that.
if not workflow.configfiles:

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/base_model.smk"
include: "workflow/rules/sources.smk"
include: "workflow/rules/translate.smk"
include: "workflow/rules/mixture.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/aggregate.smk"
include: "workflow/rules/plot.smk"
include: "workflow/rules/explorer.smk"


rule all:
    default_target: True
    input:
        experiment.targets(),
        figures.targets(),
        f"{R}/explorer/index.html",
        lambda wc: lost_files(experiment),
        experiment.verdict(),
