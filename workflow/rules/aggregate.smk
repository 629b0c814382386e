# Scores: first the cells of each row, then the table of all rows, so that one changed cell touches one row.


rule aggregate_row:
    input:
        unpack(by(experiment.row_inputs, "judge", "base", "mixture", "seed")),
    output:
        f"{R}/scores/rows/{{judge}}/{{baseline}}/{{base}}/{{mixture}}/{{seed}}.parquet",
    log:
        f"{R}/logs/aggregate/{{judge}}/{{baseline}}/{{base}}/{{mixture}}/{{seed}}.log",
    conda:
        "../../envs/light.yaml"
    params:
        columns=by(experiment.row_setting, "mixture"),
        # They follow from the columns, and are there when the verdicts are.
        generations=lambda wc, input: experiment.generations(
            wc.base, wc.mixture, wc.seed
        ),
        baselines=lambda wc, input: experiment.baselines(wc.base, wc.mixture, wc.seed),
        settings=experiment.aggregate_setting(),
        version=VERSION["aggregate"],
    shell:
        "python -m pinch aggregate row --judge {wildcards.judge:q} --baseline {wildcards.baseline:q}"
        " --base {wildcards.base:q} --mixture {wildcards.mixture:q} --seed {wildcards.seed}"
        " --columns {params.columns:q} --settings {params.settings:q}"
        " --judgments {input.judgments:q} --generations {params.generations:q} --baselines {params.baselines:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule aggregate_audit:
    input:
        calls=f"{R}/audits/{{judge}}/{{baseline}}/{{lang}}.jsonl",
        rows=lambda wc: experiment.audited_rows(wc.judge, wc.lang),
    output:
        f"{R}/audits/{{judge}}/{{baseline}}/{{lang}}.json",
    log:
        f"{R}/logs/aggregate/audits/{{judge}}/{{baseline}}/{{lang}}.log",
    conda:
        "../../envs/light.yaml"
    params:
        settings=experiment.interval_setting(),
        rows=f"{R}/arguments/audit/{{judge}}/{{lang}}.txt",
        version=VERSION["aggregate"],
    shell:
        "python -m pinch aggregate audit --judge {wildcards.judge:q} --baseline {wildcards.baseline:q}"
        " --lang {wildcards.lang} --settings {params.settings:q} --calls {input.calls:q} --rows-from {params.rows:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule aggregate:
    input:
        rows=lambda wc: experiment.score_rows(),
        audits=experiment.audits(),
    output:
        parquet=f"{R}/scores/scores.parquet",
        csv=f"{R}/scores/scores.csv",
    log:
        f"{R}/logs/aggregate/scores.log",
    conda:
        "../../envs/light.yaml"
    params:
        rows=f"{R}/arguments/aggregate.txt",
        version=VERSION["aggregate"],
    shell:
        "python -m pinch aggregate table --rows-from {params.rows:q} --audits {input.audits:q}"
        " --parquet {output.parquet:q} --csv {output.csv:q} 2>&1 | tee {log:q}"


rule compare:
    input:
        f"{R}/scores/scores.parquet",
    output:
        f"{R}/scores/comparisons.csv",
    log:
        f"{R}/logs/aggregate/comparisons.log",
    conda:
        "../../envs/light.yaml"
    params:
        groups=f"{R}/arguments/compare.json",
        what=digest(experiment.groups_setting()),
        settings=experiment.interval_setting(),
        version=VERSION["compare"],
    shell:
        "python -m pinch compare --scores {input:q} --groups {params.groups:q} --settings {params.settings:q}"
        " --output {output:q} 2>&1 | tee {log:q}"
