# Responses of one model in one language.
#
# The first job to run loads the base and generates its whole row into the cache, then rows of other training sets that
# are tuned by then; their jobs find their cell there and load nothing. The row reaches the command as a resource because
# a resource is no rerun trigger: one more language then runs one more job a model, and no old cell. An endpoint holds
# the models itself: its jobs take a core and no GPU.

ON_SERVER = experiment.config.generate.engine == "endpoint"


rule generate:
    input:
        model=by(experiment.model_input, "base", "mixture", "seed"),
        prompts=f"{R}/translations/eval/{{lang}}.jsonl",
    output:
        f"{R}/generations/{{base}}/{{mixture}}/{{seed}}/{{lang}}.jsonl",
    log:
        f"{R}/logs/generate/{{base}}/{{mixture}}/{{seed}}/{{lang}}.log",
    benchmark:
        f"{R}/benchmarks/generate/{{base}}/{{mixture}}/{{seed}}/{{lang}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1 if ON_SERVER else ALL_CORES
    resources:
        gpu=experiment.config.generate.gpus,
        calls=experiment.config.generate.calls,
        mem_mb=1500 if ON_SERVER else 6000,
        row=by_mixture(experiment.row_names),
    params:
        # Quoted already, and one text for all languages of a row.
        model=by(cache(experiment.generate_arguments), "base", "mixture", "seed"),
        version=VERSION["generate"],
    shell:
        "python -m pinch generate {params.model} --lang {wildcards.lang} --row {resources.row} --threads {threads}"
        " --output {output:q} 2>&1 | tee {log:q}"
