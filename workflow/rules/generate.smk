# Responses of one model in one language.
#
# The first job of a row loads the model and generates the whole row into the cache; its siblings find their cell
# there and load nothing. The row reaches the command as a resource because a resource is no rerun trigger: one more
# language then runs one more job a model, and no old cell.


rule generate:
    input:
        unpack(lambda wc: experiment.model_inputs(wc.base, wc.mixture, wc.seed)),
        prompts=f"{R}/translations/eval/{{lang}}.jsonl",
    output:
        f"{R}/generations/{{base}}/{{mixture}}/{{seed}}/{{lang}}.jsonl",
    log:
        f"{R}/logs/generate/{{base}}/{{mixture}}/{{seed}}/{{lang}}.log",
    benchmark:
        f"{R}/benchmarks/generate/{{base}}/{{mixture}}/{{seed}}/{{lang}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: ALL_CORES
    resources:
        gpu=1,
        mem_mb=6000,
        row=lambda wc: ",".join(experiment.row_languages(wc.mixture)),
    params:
        model=lambda wc, input: (
            ["--weights", input.weights] if "weights" in input.keys() else []
        ),
        prompts=lambda wc, input: Path(input.prompts).parent.as_posix(),
        limit=experiment.config.evaluation.prompts or 0,
        settings=lambda wc: experiment.generate_setting(wc.mixture),
        version=VERSION["generate"],
    shell:
        "python -m pinch generate --base {input.base:q} {params.model:q} --prompts {params.prompts:q}"
        " --lang {wildcards.lang} --row {resources.row} --limit {params.limit} --seed {wildcards.seed}"
        " --settings {params.settings:q} --threads {threads} --output {output:q} 2>&1 | tee {log:q}"
