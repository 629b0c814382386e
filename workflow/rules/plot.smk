# Figures, each with the numbers that it draws.


rule plot:
    input:
        scores=f"{R}/scores/scores.parquet",
    output:
        png=f"{R}/figures/{{figure}}.png",
        pdf=f"{R}/figures/{{figure}}.pdf",
        csv=f"{R}/figures/{{figure}}.csv",
    log:
        f"{R}/logs/plot/{{figure}}.log",
    wildcard_constraints:
        figure=r"[^/]+",
    conda:
        "../../envs/light.yaml"
    params:
        what=lambda wc: experiment.figure_setting(wc.figure),
        version=VERSION["plot"],
    shell:
        "python -m pinch plot --scores {input.scores:q} --settings {params.what:q}"
        " --png {output.png:q} --pdf {output.pdf:q} --csv {output.csv:q} 2>&1 | tee {log:q}"
