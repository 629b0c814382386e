# Verdicts on one cell: candidate against baseline, in both orders; a jury's are the majority of its members'.


rule judge:
    input:
        unpack(by(experiment.judged_by, "judge", "base", "seed", "lang")),
        candidate=f"{R}/generations/{{base}}/{{mixture}}/{{seed}}/{{lang}}.jsonl",
    output:
        f"{R}/judgments/{{judge}}/{{baseline}}/{{base}}/{{mixture}}/{{seed}}/{{lang}}.jsonl",
    log:
        f"{R}/logs/judge/{{judge}}/{{baseline}}/{{base}}/{{mixture}}/{{seed}}/{{lang}}.log",
    wildcard_constraints:
        judge=experiment.judging.pattern(juries=False),
    priority: by_judge(experiment.judging.priority)
    conda:
        "../../envs/torch.yaml"
    threads: by_judge(partial(experiment.judging.threads, ALL_CORES))
    resources:
        gpu=by_judge(experiment.judging.gpus),
        calls=by_judge(experiment.judging.calls),
    params:
        # Quoted already.
        judge=by(cache(experiment.judging.arguments), "judge", "lang"),
        prompt=by_judge(experiment.judging.prompt),
        version=VERSION["judge"],
    shell:
        "python -m pinch judge {params.judge} --threads {threads}"
        " --candidate {input.candidate:q} --baseline {input.baseline:q} --output {output:q} 2>&1 | tee {log:q}"


rule jury:
    input:
        lambda wc: experiment.jury_inputs(
            wc.judge, wc.base, wc.mixture, wc.seed, wc.lang
        ),
    output:
        f"{R}/judgments/{{judge}}/{{baseline}}/{{base}}/{{mixture}}/{{seed}}/{{lang}}.jsonl",
    log:
        f"{R}/logs/judge/{{judge}}/{{baseline}}/{{base}}/{{mixture}}/{{seed}}/{{lang}}.log",
    wildcard_constraints:
        judge=experiment.judging.pattern(juries=True),
    conda:
        "../../envs/light.yaml"
    params:
        version=VERSION["jury"],
    shell:
        "python -m pinch jury --members {input:q} --output {output:q} 2>&1 | tee {log:q}"
