# Bring the pivot's data into every language, each row under its id.


rule translate:
    input:
        unpack(lambda wc: experiment.translation_inputs(wc.split, wc.lang)),
    output:
        f"{R}/translations/{{split}}/{{lang}}.jsonl",
    log:
        f"{R}/logs/translate/{{split}}/{{lang}}.log",
    # Before all else, so that the first job of a row finds the prompts of all its languages.
    priority: 10
    conda:
        "../../envs/light.yaml"
    params:
        memory=lambda wc, input: (
            ["--memory", input.memory] if "memory" in input.keys() else []
        ),
        engine=experiment.config.translate.engine,
        pivot=experiment.config.pivot,
        version=VERSION["translate"],
    shell:
        "python -m pinch translate --split {wildcards.split} --lang {wildcards.lang} --pivot {params.pivot} --engine {params.engine}"
        " --source {input.source:q} {params.memory:q} --output {output:q} 2>&1 | tee {log:q}"
