# The user's data in the pivot language, from wherever they come; and what training and evaluation have in common.


rule sources:
    input:
        lambda wc: experiment.source_inputs(wc.split),
    output:
        rows=f"{R}/sources/{{split}}.jsonl",
        record=f"{R}/sources/{{split}}.json",
    log:
        f"{R}/logs/sources/{{split}}.log",
    wildcard_constraints:
        split="train|eval|natural",
    # Before all else, as translation is.
    priority: 20
    conda:
        "../../envs/torch.yaml"
    params:
        sources=lambda wc: experiment.sources_setting(wc.split),
        pivot=experiment.config.pivot,
        held_out=lambda wc: (
            experiment.config.data.held_out if wc.split == "train" else 0
        ),
        version=VERSION["sources"],
    shell:
        "python -m pinch sources --split {wildcards.split} --pivot {params.pivot} --sources {params.sources:q}"
        " --held-out {params.held_out} --output {output.rows:q} --record {output.record:q} 2>&1 | tee {log:q}"


rule overlap:
    input:
        train=f"{R}/sources/train.jsonl",
        eval=f"{R}/sources/eval.jsonl",
    output:
        f"{R}/sources/overlap.csv",
    log:
        f"{R}/logs/sources/overlap.log",
    conda:
        "../../envs/light.yaml"
    params:
        version=VERSION["sources"],
    shell:
        "python -m pinch overlap --train {input.train:q} --eval {input.eval:q} --output {output:q} 2>&1 | tee {log:q}"
