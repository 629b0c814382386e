# Draw one training set: each row once, in one language.


rule build_mixture:
    input:
        translations=lambda wc: experiment.mixture_inputs(wc.mixture),
    output:
        rows=f"{R}/mixtures/{{mixture}}/{{draw}}.jsonl",
        counts=f"{R}/mixtures/{{mixture}}/{{draw}}.json",
    log:
        f"{R}/logs/mixture/{{mixture}}/{{draw}}.log",
    conda:
        "../../envs/light.yaml"
    params:
        counts=lambda wc: experiment.counts_setting(wc.mixture),
        pivot=experiment.config.pivot,
        translations=lambda wc, input: Path(input.translations[0]).parent.as_posix(),
        version=VERSION["mixture"],
    shell:
        "python -m pinch mixture --counts {params.counts:q} --pivot {params.pivot} --draw {wildcards.draw}"
        " --translations {params.translations:q} --output {output.rows:q} --record {output.counts:q} 2>&1 | tee {log:q}"
