# Bring the pivot's data into every language, each row under its id, and say how good that is.


rule translate:
    input:
        unpack(lambda wc: experiment.translations.inputs(wc.split, wc.lang)),
    output:
        rows=f"{R}/translations/{{split}}/{{lang}}.jsonl",
        record=f"{R}/translations/{{split}}/{{lang}}.json",
    log:
        f"{R}/logs/translate/{{split}}/{{lang}}.log",
    # Before all else, so that the first job of a row finds the prompts of all its languages.
    priority: 10
    # As those of common.smk, unless models of this machine translate.
    localrule: experiment.translations.environment == "light"
    conda:
        f"../../envs/{experiment.translations.environment}.yaml"
    threads: lambda wc: ALL_CORES if experiment.translations.needs_torch(wc.lang) else 1
    resources:
        gpu=lambda wc: int(experiment.translations.needs_torch(wc.lang)),
        calls=lambda wc: experiment.translations.calls(wc.lang),
        # No rerun trigger, as params are: another price or address translates nothing anew.
        transport=lambda wc: experiment.translations.transport(wc.lang),
    params:
        memory=lambda wc, input: (
            ["--memory", input.memory] if "memory" in input.keys() else []
        ),
        engines=lambda wc: experiment.translations.engines(wc.lang),
        prompts=lambda wc: experiment.translations.prompts(wc.lang),
        gate=lambda wc: experiment.translations.gate(wc.split),
        pivot=experiment.config.pivot,
        version=VERSION["translate"],
    shell:
        "python -m pinch translate --split {wildcards.split} --lang {wildcards.lang} --pivot {params.pivot}"
        " --source {input.source:q} {params.memory:q} --engines {params.engines:q} --transport {resources.transport:q}"
        " --gate {params.gate:q} --output {output.rows:q} --record {output.record:q} 2>&1 | tee {log:q}"


rule translation_report:
    input:
        experiment.translations.report_inputs(),
    output:
        html=report(
            f"{R}/translations/report.html",
            category="Translation",
            caption="../report/translations.rst",
        ),
        csv=f"{R}/translations/report.csv",
    log:
        f"{R}/logs/translate/report.log",
    conda:
        "../../envs/light.yaml"
    params:
        train=experiment.translations.languages("train"),
        eval=experiment.translations.languages("eval"),
        pivot=experiment.config.pivot,
        results=lambda wc, output: Path(output.html).parents[1].as_posix(),
        version=VERSION["translate"],
    shell:
        "python -m pinch translation_report --results {params.results:q} --pivot {params.pivot}"
        " --train {params.train} --eval {params.eval} --output {output.html:q} --csv {output.csv:q} 2>&1 | tee {log:q}"
