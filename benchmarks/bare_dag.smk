# The chain's DAG and nothing else: no config, params, logs or checks, and shell commands that touch their output.
# What planning takes beyond this is what the workflow costs, not Snakemake.
#
#   snakemake -s benchmarks/bare_dag.smk --config models=60 languages=18 -n --quiet all     1,080 cells

models = [f"model{number}" for number in range(int(config["models"]))]
languages = [f"language{number}" for number in range(int(config["languages"]))]


rule all:
    input:
        "bare/figure.png",


rule translate:
    output:
        "bare/translations/{lang}.jsonl",
    shell:
        "touch {output}"


rule build_mixture:
    input:
        expand("bare/translations/{lang}.jsonl", lang=languages[:12]),
    output:
        "bare/mixtures/{model}.jsonl",
    shell:
        "touch {output}"


rule finetune:
    input:
        "bare/mixtures/{model}.jsonl",
    output:
        "bare/models/{model}",
    shell:
        "touch {output}"


rule generate:
    input:
        "bare/models/{model}",
        "bare/translations/{lang}.jsonl",
    output:
        "bare/generations/{model}/{lang}.jsonl",
    shell:
        "touch {output}"


rule judge:
    input:
        "bare/generations/{model}/{lang}.jsonl",
        f"bare/generations/{models[0]}/{{lang}}.jsonl",
    output:
        "bare/judgments/{model}/{lang}.jsonl",
    shell:
        "touch {output}"


rule aggregate:
    input:
        expand("bare/judgments/{model}/{lang}.jsonl", model=models, lang=languages),
    output:
        "bare/scores.csv",
    shell:
        "touch {output}"


rule plot:
    input:
        "bare/scores.csv",
    output:
        "bare/figure.png",
    shell:
        "touch {output}"
