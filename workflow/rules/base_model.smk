# Fetch a pretrained model and convert it once; what the chain sees is a small record of it.


rule base_model:
    output:
        f"{R}/base_models/{{base}}.json",
    log:
        f"{R}/logs/base_model/{{base}}.log",
    conda:
        "../../envs/torch.yaml"
    threads: ALL_CORES
    params:
        spec=lambda wc: experiment.base_models[wc.base].model_dump_json(
            exclude_none=True
        ),
        version=VERSION["base_model"],
    shell:
        "python -m pinch base_model --spec {params.spec:q} --output {output:q} 2>&1 | tee {log:q}"
