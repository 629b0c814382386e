# Figures, each with the numbers that it draws, from the rows of scores that it needs: a figure is drawn as soon as
# those are there. And how little is enough, in words.


rule plot:
    input:
        unpack(lambda wc: figures.inputs(wc.figure)),
    output:
        png=report(
            f"{R}/figures/{{figure}}.png",
            category="Figures",
            labels={"figure": "{figure}"},
            caption="../report/figure.rst",
        ),
        pdf=f"{R}/figures/{{figure}}.pdf",
        csv=f"{R}/figures/{{figure}}.csv",
    log:
        f"{R}/logs/plot/{{figure}}.log",
    wildcard_constraints:
        figure=FIGURE,
    conda:
        "../../envs/light.yaml"
    params:
        source=lambda wc: figures.arguments(wc.figure),
        scores=lambda wc: figures.scores_from(wc.figure),
        settings=f"{R}/arguments/plot/{{figure}}.json",
        # What those settings are, since a file that is no input is no rerun trigger.
        what=lambda wc: digest(figures.setting(wc.figure)),
        version=VERSION["plot"],
    shell:
        "python -m pinch plot {params.scores:q} {params.source:q} --settings {params.settings:q}"
        " --png {output.png:q} --pdf {output.pdf:q} --csv {output.csv:q} 2>&1 | tee {log:q}"


rule answer:
    input:
        lambda wc: figures.scores(wc.figure),
    output:
        text=f"{R}/answers/{{figure}}.txt",
        json=f"{R}/answers/{{figure}}.json",
    log:
        f"{R}/logs/answer/{{figure}}.log",
    wildcard_constraints:
        figure=FIGURE,
    conda:
        "../../envs/light.yaml"
    params:
        scores=f"{R}/arguments/plot/{{figure}}.txt",
        settings=f"{R}/arguments/answer/{{figure}}.json",
        what=lambda wc: digest(figures.answer_setting(wc.figure)),
        version=VERSION["answer"],
    shell:
        "python -m pinch answer --scores-from {params.scores:q} --settings {params.settings:q}"
        " --text {output.text:q} --json {output.json:q} 2>&1 | tee {log:q}"
