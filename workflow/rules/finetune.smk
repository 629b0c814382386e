# Tune the base model on one training set.


rule finetune:
    input:
        unpack(lambda wc: experiment.finetune_inputs(wc.mixture, wc.draw)),
        base=f"{R}/base_models/{{base}}.json",
    output:
        weights=KEPT(
            directory(f"{R}/models/{{base}}/{{mixture}}/{{draw}}t{{training}}/weights")
        ),
        manifest=f"{R}/models/{{base}}/{{mixture}}/{{draw}}t{{training}}/manifest.json",
    log:
        f"{R}/logs/finetune/{{base}}/{{mixture}}/{{draw}}t{{training}}.log",
    benchmark:
        f"{R}/benchmarks/finetune/{{base}}/{{mixture}}/{{draw}}t{{training}}.tsv"
    wildcard_constraints:
        training=r"\d+",
    priority: int(experiment.tunes_first)
    conda:
        "../../envs/torch.yaml"
    threads: ALL_CORES
    resources:
        gpu=experiment.finetune_gpus,
        mem_mb=6000,
    params:
        dev=lambda wc, input: ["--dev", input.dev] if "dev" in input.keys() else [],
        settings=lambda wc: experiment.finetune_setting(wc.mixture),
        version=VERSION["finetune"],
    shell:
        "python -m pinch finetune --base {input.base:q} --mixture {input.mixture:q} {params.dev:q} --settings {params.settings:q}"
        " --seed {wildcards.training} --threads {threads}"
        " --weights {output.weights:q} --manifest {output.manifest:q} 2>&1 | tee {log:q}"
