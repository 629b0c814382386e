# Verdicts on one cell: candidate against baseline, in both orders.


rule judge:
    input:
        unpack(
            lambda wc: experiment.judge_inputs(
                wc.judge, wc.base, wc.mixture, wc.seed, wc.lang
            )
        ),
    output:
        f"{R}/judgments/{{judge}}/{{baseline}}/{{base}}/{{mixture}}/{{seed}}/{{lang}}.jsonl",
    log:
        f"{R}/logs/judge/{{judge}}/{{baseline}}/{{base}}/{{mixture}}/{{seed}}/{{lang}}.log",
    conda:
        "../../envs/torch.yaml"
    threads: lambda wc: ALL_CORES if experiment.judge_needs_torch(wc.judge) else 1
    resources:
        gpu=lambda wc: int(experiment.judge_needs_torch(wc.judge)),
    params:
        settings=lambda wc: experiment.judge_setting(wc.judge),
        prompt=lambda wc: experiment.judge_prompt(wc.judge),
        model=lambda wc, input: (
            ["--model", input.model] if "model" in input.keys() else []
        ),
        version=VERSION["judge"],
    shell:
        "python -m pinch judge --candidate {input.candidate:q} --baseline {input.baseline:q} --prompts {input.prompts:q}"
        " --lang {wildcards.lang} --name {wildcards.judge:q} --settings {params.settings:q} {params.model:q}"
        " --threads {threads} --output {output:q} 2>&1 | tee {log:q}"
