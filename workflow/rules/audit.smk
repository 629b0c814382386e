# Whether a judge can judge a language: pairs of which the better one is known, and cells that it is asked about again.
# What its verdicts say of it is worked out by aggregate_audit.


rule audit:
    input:
        unpack(lambda wc: experiment.audit_inputs(wc.judge, wc.lang)),
    output:
        f"{R}/audits/{{judge}}/{{baseline}}/{{lang}}.jsonl",
    log:
        f"{R}/logs/audit/{{judge}}/{{baseline}}/{{lang}}.log",
    wildcard_constraints:
        judge=experiment.judging.pattern(juries=False),
    priority: by_judge(experiment.judging.audit_priority)
    conda:
        "../../envs/torch.yaml"
    threads: by_judge(partial(experiment.judging.threads, ALL_CORES))
    resources:
        gpu=by_judge(experiment.judging.gpus),
        calls=by_judge(experiment.judging.calls),
        transport=lambda wc: experiment.judging.transport(wc.judge),
    params:
        settings=lambda wc: experiment.judging.setting(wc.judge),
        prompt=by_judge(experiment.judging.prompt),
        about=lambda wc, input: experiment.judging.audit_arguments(input),
        audits=f"{R}/arguments/audit/{{judge}}.json",
        pairs=experiment.config.audit.contrast,
        repeats=experiment.config.audit.repeats,
        spending=experiment.judging.spending,
        version=VERSION["audit"],
    shell:
        "python -m pinch audit --lang {wildcards.lang} --name {wildcards.judge:q} --settings {params.settings:q}"
        " --transport {resources.transport:q} --spending {params.spending:q} {params.about:q}"
        " --audits {params.audits:q} --pairs {params.pairs} --repeats {params.repeats} --threads {threads}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule audit_jury:
    input:
        lambda wc: [
            f"{R}/audits/{member}/{wc.baseline}/{wc.lang}.jsonl"
            for member in experiment.judging.members(wc.judge)
        ],
    output:
        f"{R}/audits/{{judge}}/{{baseline}}/{{lang}}.jsonl",
    log:
        f"{R}/logs/audit/{{judge}}/{{baseline}}/{{lang}}.log",
    wildcard_constraints:
        judge=experiment.judging.pattern(juries=True),
    conda:
        "../../envs/light.yaml"
    params:
        version=VERSION["jury"],
    shell:
        "python -m pinch jury --audit --members {input:q} --output {output:q} 2>&1 | tee {log:q}"


# The last job, so that what a strict experiment refuses to end well on is all there to be looked at.
rule strict:
    input:
        experiment.targets(),
        figures.targets(),
    output:
        touch(f"{R}/audits/none-is-red"),
    log:
        f"{R}/logs/audit/none-is-red.log",
    conda:
        "../../envs/light.yaml"
    params:
        audits=experiment.audits(),
    shell:
        "python -m pinch audits {params.audits:q} --strict 2>&1 | tee {log:q}"
