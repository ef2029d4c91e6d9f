"""Prove that training needs neither Ray nor MLflow, and gives the same bits in another process."""

import subprocess
import sys
from pathlib import Path

from tests.unit.trainers.tiny import TrainOnce, assert_same_run, job
from trainers.schema import TrialSpec

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ray", "mlflow"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled())
from trainers.loop.loop import train_alone
from trainers.schema import Job

records = train_alone(Job.model_validate_json(Path(sys.argv[1]).read_text()))
assert records[-1].final
assert not {"ray", "mlflow"} & set(sys.modules)
"""


def test_a_process_without_ray_and_mlflow_trains_the_same_student(
    train_once: TrainOnce, distilled: TrialSpec, tmp_path: Path
) -> None:
    (tmp_path / "job.json").write_text(job(distilled, tmp_path / "trial").model_dump_json())
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path / "job.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert_same_run(train_once(distilled), tmp_path / "trial")
