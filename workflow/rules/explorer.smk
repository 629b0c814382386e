# The run as pages to click through. data/ beside the page has a file a cell, brought up to date and no output: those
# of unchanged cells stay as they are.


rule explorer:
    input:
        **explored.inputs(figures),
    output:
        f"{R}/explorer/index.html",
    log:
        f"{R}/logs/explorer.log",
    conda:
        "../../envs/light.yaml"
    params:
        settings=f"{R}/arguments/explorer.json",
        what=digest(explored.setting(figures)),
        version=VERSION["explorer"],
    shell:
        "python -m pinch explorer --settings {params.settings:q} --scores {input.scores:q} --heatmaps {input.heatmaps:q}"
        " --comparisons {input.comparisons:q} --audits {input.audits:q} --output {output:q} 2>&1 | tee {log:q}"
