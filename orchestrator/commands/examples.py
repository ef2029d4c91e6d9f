"""Hold examples of every command: ``--help`` shows them."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": ("stillhouse init photos", "stillhouse init photos --to studies/photos.yaml --name photos"),
    "check": ("stillhouse check study.yaml", "stillhouse check study.yaml --set schedule.epochs=24"),
    "data": ("stillhouse data check study.yaml", "stillhouse data check study.yaml --decode"),
    "plan": (
        "stillhouse plan study.yaml",
        "stillhouse plan study.yaml --set 'search.seeds=[0,1,2]' --json",
        "stillhouse plan study.yaml --on my-aws.yaml",
    ),
    "run": (
        "stillhouse run study.yaml",
        "stillhouse run stillhouse::studies/quickstart.yaml",
        "stillhouse run study.yaml --set method.kind=pkd --set schedule.epochs=24",
        "stillhouse run study.yaml --address 10.0.0.1:6379 --store /shared/runs",
        "stillhouse run study.yaml --share --store /shared/runs",
        "stillhouse run study.yaml --trials 3f2a,91c0",
    ),
    "sync": ("stillhouse sync study.yaml", "stillhouse sync study.yaml --store moved/stillhouse-runs"),
    "compare": ("stillhouse compare study.yaml", "stillhouse compare study.yaml --json"),
    "report": (
        "stillhouse report study.yaml --format html --output table.html",
        "stillhouse report study.yaml --format latex",
    ),
    "figure": (
        "stillhouse figure study.yaml --output curves.png",
        "stillhouse figure study.yaml --kind predictions --output boxes.pdf",
    ),
    "predict": ("stillhouse predict study.yaml", "stillhouse predict study.yaml --trials all --images 8"),
    "verify": (
        "stillhouse verify student",
        "stillhouse verify student study.yaml --retrain",
    ),
    "export": (
        "stillhouse export study.yaml --to student",
        "stillhouse export study.yaml --trial 3f2a --to student --force",
    ),
    "dashboard": (
        "stillhouse dashboard serve",
        "stillhouse dashboard export results.html --study photos",
    ),
    "reproduce": (
        "stillhouse reproduce A1 --plan",
        "stillhouse reproduce A1 --fidelity smoke",
        "stillhouse reproduce bccd --seeds 3",
    ),
    "submit": (
        "stillhouse submit study.yaml --address http://10.0.0.1:8265",
        "stillhouse submit study.yaml --store /shared/runs --mirror s3://bucket/runs",
    ),
    "status": ("stillhouse status study.yaml --store /shared/runs", "stillhouse status stillhouse-0a1b2c3d4e5f --json"),
    "logs": ("stillhouse logs study.yaml --follow",),
    "stop": ("stillhouse stop study.yaml", "stillhouse stop study.yaml --trial 3f2a"),
    "resume": ("stillhouse resume study.yaml --store /shared/runs", "stillhouse resume study.yaml --trial 3f2a"),
    "pause": ("stillhouse pause study.yaml --trial 3f2a",),
    "retry": ("stillhouse retry study.yaml --trial 3f2a",),
    "list": ("stillhouse list --store /shared/runs",),
    "serve": ("stillhouse serve --address http://10.0.0.1:8265 --store /shared/runs",),
    "cluster": (
        "stillhouse cluster render cluster.yaml --output files",
        "stillhouse cluster up cluster.yaml",
    ),
    "methods": ("stillhouse methods",),
    "schema": ("stillhouse schema --output study.schema.json",),
    "completion": (
        "stillhouse completion bash > stillhouse.bash",
        "stillhouse completion zsh > ~/.zfunc/_stillhouse",
    ),
    "clean": ("stillhouse clean study.yaml", "stillhouse clean study.yaml --only-given --yes"),
    "doctor": ("stillhouse doctor", "stillhouse doctor --clean"),
}


def examples_of(command: str) -> str:
    """Return the examples as a part of the command's help."""
    return "\n".join(["examples:", *(f"  {line}" for line in EXAMPLES[command])])
