"""Every kind of mistake in a study is reported with its file, line and key, in words that help."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.orchestrator.study_text import TRAINED, VALID, ZOO, edit, findings_of, write

ATSS = "mmdet::atss/atss_r50_fpn_1x_coco.py"
X101 = "mmdet::gfl/gfl_x101-32x4d_fpn_ms-2x_coco.py"
MOBILE, YOLOX = "stillhouse::gfl_mobilenetv2_fpn.py", "mmdet::yolox/yolox_s_8xb8-300e_coco.py"


ASHA = ("  seeds:", "  scheduler: {kind: asha}\n  seeds:")
SEARCHED_LR = ("method.alpha2:", "schedule.lr:")


class Mistake(NamedTuple):
    """Hold a change to the correct study, and what is to be said about it."""

    id: str
    old: str
    new: str
    line: int
    key: str
    says: str
    level: str = "error"
    also: tuple[str, str] | None = None


MISTAKES = [
    Mistake(
        "metric of no record",
        "  seeds:",
        "  metric: mAP50\n  seeds:",
        21,
        "search.metric",
        "no trial of this study records mAP50 (did you mean AP50?)",
    ),
    Mistake(
        "metric of other data",
        "  seeds:",
        "  metric: voc/AP50\n  seeds:",
        21,
        "search.metric",
        "no trial of this study records",
    ),
    Mistake(
        "class without its prefix",
        "  seeds:",
        "  metric: circle\n  seeds:",
        21,
        "search.metric",
        "(did you mean class_AP/circle?)",
    ),
    # keys
    Mistake("unknown section", "scaling:", "scalling:", 22, "scalling", "unknown key (did you mean scaling?)"),
    Mistake("unknown key", "alpha1: 1.0", "alhpa1: 1.0", 13, "method.alhpa1", "unknown key (did you mean alpha1?)"),
    Mistake("unknown nested key", "width: 0.5", "widdh: 0.5", 7, "teacher.detector.widdh", "did you mean width?"),
    Mistake("key of no section", "name: demo", "name: demo\nzzz: 1", 2, "zzz", "unknown key"),
    Mistake("key in the wrong place", "name: demo", "name: demo\nlr: 1", 2, "lr", "did you mean schedule.lr?"),
    Mistake(
        "key of another kind",
        "train_images: 8",
        "root: x",
        4,
        "dataset.root",
        "of kind shapes; kind coco, voc or yolo has it",
    ),
    Mistake("missing section", "name: demo\n", "", 1, "name", "this key is required"),
    Mistake("missing key", "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n", "", 8, "student.config", "required"),
    Mistake(
        "missing kind",
        "  kind: bckd\n",
        "",
        11,
        "method.kind",
        "required: none, bckd, ld, pkd, pkd+bckd, cwd, mgd, fgd, feature, gid-response, crosskd or terms",
    ),
    Mistake("key given twice", "lr: 1e-2", "lr: 1e-2\n  lr: 2e-2", 17, "schedule.lr", "twice, first on line 16"),
    Mistake("key that is no text", "team: vision", "2: vision", 25, "tracking.tags.2", "must be text"),
    Mistake("merge key", "lr: 1e-2", "<<: {lr: 1e-2}", 16, "schedule.<<", "merge keys are not allowed"),
    # kinds and choices
    Mistake(
        "unknown kind", "kind: train", "kind: trainn", 6, "teacher.kind", "unknown kind trainn (did you mean train?)"
    ),
    Mistake(
        "a term as method",
        "kind: bckd",
        "kind: bckd-cls",
        12,
        "method.kind",
        "write {kind: terms, terms: [{kind: bckd-cls}]}",
    ),
    Mistake("kind that is a list", "kind: bckd", "kind: [bckd-cls]", 12, "method.kind", "unknown kind [bckd-cls]"),
    Mistake("kind that is no text", "kind: bckd", "kind: 5", 12, "method.kind", "unknown kind 5"),
    Mistake(
        "wrong choice",
        "alpha1: 1.0",
        "variant: officiall",
        13,
        "method.variant",
        "got text 'officiall' (did you mean official?)",
    ),
    Mistake(
        "wrong number of a choice", "width: 0.5", "backbone_depth: 20", 7, "teacher.detector.backbone_depth", "18, 34"
    ),
    Mistake("wrong item", "train_images: 8", "classes: [circl]", 4, "dataset.classes[0]", "did you mean circle?"),
    # types
    Mistake("text for a number", "lr: 1e-2", "lr: fast", 16, "schedule.lr", "expected a number, got text 'fast'"),
    Mistake("fraction for a count", "epochs: 12", "epochs: 12.5", 15, "schedule.epochs", "a whole number, got 12.5"),
    Mistake(
        "yes for true", "alpha1: 1.0", "detach_weight: yes", 13, "method.detach_weight", "true or false, got text 'yes'"
    ),
    Mistake("number for text", "name: demo", "name: 7", 1, "name", "expected text, got 7"),
    Mistake("nothing for a number", "lr: 1e-2", "lr:", 16, "schedule.lr", "expected a number, got nothing"),
    Mistake("value for a list", "[0, 1]", "0", 21, "search.seeds", "expected a list, got 0"),
    Mistake("value for a mapping", "  workers: 2", "  2", 22, "scaling", "expected a mapping, got 2"),
    Mistake(
        "neither of two types",
        "workers: 2",
        "gpus_per_worker: all",
        23,
        "scaling.gpus_per_worker",
        "auto or shared or a number",
    ),
    Mistake("value for a teacher", TRAINED, "teacher: zoo\n", 5, "teacher", "expected a mapping, got text 'zoo'"),
    Mistake("too few items", "train_images: 8", "image_size: [64]", 4, "dataset.image_size", "expected 2 items, got 1"),
    Mistake(
        "too many items",
        "train_images: 8",
        "image_size: [64, 64, 3]",
        4,
        "dataset.image_size",
        "at most 2 items, got 3",
    ),
    # ranges
    Mistake("below range", "alpha1: 1.0", "alpha1: -2", 13, "method.alpha1", "must be at least 0, got -2"),
    Mistake("above range", "train_images: 8", "flip: 1.5", 4, "dataset.flip", "must be at most 1, got 1.5"),
    Mistake("at an open end", "lr: 1e-2", "lr: 0", 16, "schedule.lr", "must be above 0, got 0"),
    Mistake("range in a union", "workers: 2", "max_concurrent: 0", 23, "scaling.max_concurrent", "at least 1, got 0"),
    Mistake("not finite", "lr: 1e-2", "lr: .inf", 16, "schedule.lr", ".inf is not a finite number"),
    Mistake("bad name", "name: demo", "name: a b", 1, "name", "got text 'a b'"),
    Mistake("no seed", "[0, 1]", "[]", 21, "search.seeds", "at least 1 item, got 0"),
    # rules of one section
    Mistake(
        "width of ImageNet weights",
        "  weights: random\n",
        "  width: 0.5\n",
        8,
        "student",
        "exist for width 1.0 only, not 0.5",
    ),
    Mistake(
        "milestones after the end",
        "epochs: 12",
        "epochs: 5",
        14,
        "schedule",
        "milestones [8, 11] lie at or after the last epoch (5): they would never act; these are the default: write policy: {kind: cosine}, or --set schedule.policy.kind=cosine",
    ),
    Mistake(
        "teacher's milestones after the end",
        "student:",
        "  schedule: {epochs: 5}\nstudent:",
        8,
        "teacher.schedule",
        "write policy: {kind: cosine}, or --set teacher.schedule.policy.kind=cosine",
    ),
    Mistake(
        "class given twice",
        "train_images: 8",
        "classes: [circle, circle]",
        4,
        "dataset.classes",
        "class given twice: circle",
    ),
    # YAML
    Mistake("syntax", "lr: 1e-2", "lr: [1e-2", 17, "", "not valid YAML"),
    Mistake("tab", "  lr: 1e-2", "\tlr: 1e-2", 16, "", "not valid YAML: found character '\\t'"),
    Mistake("object tag", "lr: 1e-2", "lr: !!python/object/apply:os.system [ls]", 16, "schedule.lr", "is not allowed"),
    Mistake("anchor", "lr: 1e-2", "lr: &lr 1e-2", 16, "schedule.lr", "anchor &lr is not allowed"),
    Mistake("alias", "lr: 1e-2", "lr: *lr", 16, "schedule.lr", "alias *lr is not allowed"),
    Mistake("second document", "schedule:", "---\nschedule:", 14, "", "second document"),
    Mistake("list as a key", "lr: 1e-2", "? [a]\n  : 1", 16, "schedule", "a key must be text"),
    Mistake("control character", "name: demo", 'name: "de\x01mo"', 1, "", "character U+0001 is not allowed"),
    Mistake("escaped control character", "name: demo", 'name: "de\\0mo"', 1, "name", "not text"),
    Mistake("too deep", "lr: 1e-2", f"lr: {'[' * 40}{']' * 40}", 16, "", "nested deeper than 32"),
    # detectors
    Mistake(
        "unknown config",
        "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py",
        "  config: mmdet::gfl/gfl_r50_fpn_1x_cocco.py",
        9,
        "student.config",
        "no such config (did you mean mmdet::gfl/gfl_r50_fpn_1x_coco.py?)",
    ),
    Mistake(
        "unknown collection",
        "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py",
        "  config: mmyolo::gfl/gfl_r50_fpn_1x_coco.py",
        9,
        "student.config",
        "unknown collection",
    ),
    Mistake(
        "forgotten collection",
        "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py",
        "  config: gfl/gfl_r50_fpn_1x_coco.py",
        9,
        "student.config",
        "no such file: gfl/gfl_r50_fpn_1x_coco.py (did you mean mmdet::gfl/gfl_r50_fpn_1x_coco.py?)",
    ),
    Mistake(
        "detector that needs more than boxes",
        "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py",
        "  config: mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
        9,
        "student.config",
        "MaskRCNN cannot be trained here: it needs masks of the objects, not boxes alone",
    ),
    Mistake(
        "method that reads a head which is not described",
        "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py",
        "  config: mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py",
        9,
        "student.config",
        "bckd needs anchor weights and normaliser, classification logits, decoded boxes, which FasterRCNN does not give: "
        "GFL, ATSS, FCOS, RetinaNet, YOLOX, RTMDet, TOOD, VFNet do",
    ),
    Mistake(
        "teacher that reads a head which is not described",
        'config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py"',
        'config: "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"',
        7,
        "teacher.detector.config",
        "bckd needs anchor weights and normaliser, classification logits, decoded boxes, which FasterRCNN does not give: "
        "GFL, ATSS, FCOS, RetinaNet, YOLOX, RTMDet, TOOD, VFNet do",
    ),
    Mistake(
        "other head than the student",
        'config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py"',
        f'config: "{ATSS}"',
        7,
        "teacher.detector.config",
        "bckd needs equal heads: the teacher has ATSSHead, the student GFLHead",
    ),
    Mistake(
        "other head than the student, in a sum of terms",
        VALID[VALID.index('config: "mmdet') : VALID.index("schedule:")],
        f'config: "{ATSS}", width: 0.5, weights: random}}\nstudent:\n  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n'
        "  weights: random\nmethod:\n  kind: terms\n  terms: [{kind: bckd-cls}, {kind: pkd}]\n",
        7,
        "teacher.detector.config",
        "bckd-cls needs equal heads: the teacher has ATSSHead, the student GFLHead",
        also=SEARCHED_LR,
    ),
    Mistake(
        "ramp that does not end",
        "alpha1: 1.0",
        "ramp: 13",
        13,
        "method.ramp",
        "bckd-cls never reaches its weight: its ramp (13) is longer than the time in which it acts",
        "warning",
    ),
    Mistake(
        "end after the schedule's",
        "kind: bckd\n  alpha1: 1.0",
        "kind: terms\n  terms: [{kind: pkd, until: 20}]",
        13,
        "method.terms",
        "pkd acts to the end: until (20) lies after the end of the schedule (12 epochs)",
        "warning",
        also=SEARCHED_LR,
    ),
    Mistake(
        "term given twice",
        "kind: bckd\n  alpha1: 1.0",
        "kind: terms\n  terms: [{kind: pkd}, {kind: pkd, weight: 2}]",
        11,
        "method",
        "term given twice: pkd",
    ),
    Mistake(
        "unknown key of a term",
        "kind: bckd\n  alpha1: 1.0",
        "kind: terms\n  terms: [{kind: pkd, weightt: 2}]",
        13,
        "method.terms[0].weightt",
        "unknown key (did you mean weight?)",
    ),
    Mistake(
        "depth of another backbone",
        'config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", width: 0.5',
        f'config: "{MOBILE}", backbone_depth: 18',
        7,
        "teacher.detector.backbone_depth",
        "cannot be set: the backbone of this config is MobileNetV2",
    ),
    Mistake(
        "depth that a backbone does not have",
        'config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", width: 0.5',
        f'config: "{X101}", backbone_depth: 18',
        7,
        "teacher.detector.backbone_depth",
        "cannot be 18: a ResNeXt has 50, 101 or 152 layers",
    ),
    Mistake(
        "shallow backbone with deformable convolutions",
        'config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", width: 0.5',
        'config: "mmdet::gfl/gfl_r101-dconv-c3-c5_fpn_ms-2x_coco.py", backbone_depth: 34',
        7,
        "teacher.detector.backbone_depth",
        "no place for this config's deformable convolutions",
    ),
    Mistake(
        "unknown config of our own",
        "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py",
        "  config: stillhouse::gfl_r81_fpn.py",
        9,
        "student.config",
        "Stillhouse ships no such config (did you mean stillhouse::gfl_r18_fpn.py?)",
    ),
    Mistake(
        "path out of our own configs",
        "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py",
        "  config: stillhouse::../../secret.py",
        9,
        "student.config",
        "Stillhouse ships no such config",
    ),
    Mistake(
        "width of another backbone",
        'config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py"',
        f'config: "{MOBILE}"',
        7,
        "teacher.detector.width",
        "cannot be set",
    ),
    Mistake(
        "ImageNet weights of another backbone",
        "  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n  weights: random",
        f"  config: {YOLOX}",
        8,
        "student.weights",
        "YOLOX trains from scratch, say weights: random",
    ),
    # teachers
    Mistake("no teacher", TRAINED, "", 9, "method.kind", "bckd needs a teacher"),
    Mistake(
        "unknown checkpoint", TRAINED, ZOO.replace("r101", "r102"), 7, "teacher.name", "did you mean gfl_r101_fpn_ms-2x"
    ),
    Mistake("other classes", TRAINED, ZOO, 7, "teacher.name", "was trained on 80 classes and the dataset has 3"),
    Mistake(
        "missing checkpoint",
        "kind: train",
        "kind: checkpoint\n  path: best.pth",
        7,
        "teacher.path",
        "no such file: best.pth",
    ),
    Mistake(
        "checkpoint that is a folder",
        "kind: train",
        "kind: checkpoint\n  path: /",
        7,
        "teacher.path",
        "a folder, not a file: /",
    ),
    Mistake(
        "unset variable in a checkpoint's path",
        "kind: train",
        "kind: checkpoint\n  path: ${STILLHOUSE_UNSET}/best.pth",
        7,
        "teacher.path",
        "variable STILLHOUSE_UNSET is not set",
    ),
    # workers
    Mistake(
        "uneven batch",
        "batch_size: 16",
        "batch_size: 15",
        17,
        "schedule.batch_size",
        "15 does not divide evenly among 2",
    ),
    Mistake("uneven default batch", "workers: 2", "workers: 3", 17, "schedule.batch_size", "among 3 workers"),
    Mistake(
        "uneven shares",
        "workers: 2",
        "workers: {min: 2, max: 6}",
        17,
        "schedule.batch_size",
        "6 workers (scaling.workers.max)",
    ),
    Mistake(
        "elastic workers of one size",
        "workers: 2",
        "workers: {min: 8, max: 8}",
        23,
        "scaling.workers",
        "min (8) must be below max (8); a fixed number is workers: 8",
    ),
    Mistake(
        "elastic workers that cannot shrink",
        "workers: 2",
        "workers: {min: 5, max: 8}",
        23,
        "scaling.workers",
        "no number from 5 to 7 divides max (8), so the group could never shrink: give a min of 4 or less",
    ),
    Mistake("elastic workers without a max", "workers: 2", "workers: {min: 2}", 23, "scaling.workers.max", "required"),
    # search
    Mistake(
        "objective that is the same at every point",
        "  seeds:",
        "  algorithm: optuna\n  samples: 4\n  objectives: [ap, macs]\n  seeds:",
        23,
        "search.objectives[1]",
        "macs is the same at every point: search a key of student",
    ),
    Mistake(
        "unknown constraint",
        "  seeds:",
        "  constraints: {param: 5}\n  seeds:",
        21,
        "search.constraints.param",
        "did you mean parameters?",
    ),
    Mistake(
        "constraint of 0", "  seeds:", "  constraints: {macs: 0}\n  seeds:", 21, "search.constraints.macs", "above 0"
    ),
    Mistake(
        "latency of a student that is drawn",
        "method.alpha2: [2.0, 4.0]",
        "student.width: {uniform: [0.25, 1.0]}\n  algorithm: random\n  samples: 4\n  constraints: {latency_ms: 50}",
        20,
        "search.space.student.width",
        "latency_ms is measured before anything is trained: give a list of values",
    ),
    Mistake(
        "constraints of a population",
        "method.alpha2: [2.0, 4.0]",
        "method.alpha2: {uniform: [2.0, 4.0]}\n  algorithm: pbt\n  samples: 4\n  constraints: {macs: 5.0e9}",
        23,
        "search.constraints",
        "pbt trains one student",
        also=("seeds: [0, 1]", "seeds: [0]"),
    ),
    Mistake(
        "constraints and a warm start",
        "  seeds:",
        "  algorithm: optuna\n  samples: 4\n  constraints: {macs: 5.0e9}\n  warm_start: before\n  seeds:",
        24,
        "search.warm_start",
        "it does not go with search.constraints",
    ),
    Mistake(
        "unknown searched key",
        "method.alpha2:",
        "method.alhpa2:",
        20,
        "search.space.method.alhpa2",
        "did you mean method.alpha2?",
    ),
    Mistake(
        "searched key without section",
        "method.alpha2:",
        "alpha2:",
        20,
        "search.space.alpha2",
        "did you mean method.alpha2?",
    ),
    Mistake("searched seed", "method.alpha2:", "seed:", 20, "search.space.seed", "listed in search.seeds"),
    Mistake(
        "searched dataset", "method.alpha2:", "dataset.repeat:", 20, "search.space.dataset.repeat", "cannot be searched"
    ),
    Mistake(
        "searched value out of range",
        "4.0]",
        "-4]",
        20,
        "search.space.method.alpha2[1]",
        "value -4: must be at least 0",
    ),
    Mistake(
        "searched value of wrong type",
        "4.0]",
        "four]",
        20,
        "search.space.method.alpha2[1]",
        "value four: expected a number",
    ),
    Mistake(
        "searched key of another kind",
        "method.alpha2: [2.0, 4.0]",
        "schedule.optimizer.nesterov: [true]\n    schedule.optimizer.kind: [adamw]",
        20,
        "search.space.schedule.optimizer.nesterov[0]",
        "unknown key of kind adamw; kind sgd has it",
    ),
    Mistake(
        "searched values that do not go together",
        "method.alpha2: [2.0, 4.0]",
        "schedule.epochs: [12, 6]",
        20,
        "search.space.schedule.epochs[1]",
        "milestones [8, 11] lie at or after",
    ),
    Mistake(
        "uneven searched batch",
        "method.alpha2: [2.0, 4.0]",
        "schedule.batch_size: [15]",
        20,
        "search.space.schedule.batch_size[0]",
        "does not divide evenly",
    ),
    Mistake(
        "searched config that does not exist",
        "method.alpha2: [2.0, 4.0]",
        "student.config: [nope.py]",
        20,
        "search.space.student.config[0]",
        "no such file: nope.py",
    ),
    Mistake("value given twice", "4.0]", "2]", 20, "search.space.method.alpha2[1]", "2 is given twice"),
    Mistake("seed given twice", "[0, 1]", "[0, 1, 0]", 21, "search.seeds[2]", "0 is given twice"),
    Mistake("empty list", "[2.0, 4.0]", "[]", 20, "search.space.method.alpha2", "at least 1 item"),
    Mistake(
        "value for a domain",
        "[2.0, 4.0]",
        "4.0",
        20,
        "search.space.method.alpha2",
        "is neither a list nor a range, got 4.0: write a list",
    ),
    Mistake(
        "distribution in a grid",
        "[2.0, 4.0]",
        "{uniform: [2, 4]}",
        20,
        "search.space.method.alpha2",
        "needs algorithm: random",
    ),
    Mistake(
        "unknown distribution",
        "[2.0, 4.0]",
        "{unifrm: [2, 4]}",
        20,
        "search.space.method.alpha2.unifrm",
        "did you mean uniform?",
    ),
    Mistake(
        "distribution upside down",
        "[2.0, 4.0]",
        "{uniform: [4, 2]}",
        20,
        "search.space.method.alpha2",
        "low must be below high",
    ),
    Mistake("samples in a grid", "seeds: [0, 1]", "samples: 3", 21, "search.samples", "belongs to algorithm: random"),
    Mistake(
        "random without samples", "seeds: [0, 1]", "algorithm: random", 21, "search.algorithm", "random needs samples"
    ),
    Mistake(
        "random without space",
        "space:\n    method.alpha2: [2.0, 4.0]",
        "algorithm: random\n  samples: 3",
        18,
        "search.space",
        "algorithm random needs values to draw from",
    ),
    Mistake(
        "too many trials",
        "seeds: [0, 1]",
        f"seeds: {list(range(6000))}",
        18,
        "search",
        "baselines not counted: more than 10000 trials",
    ),
    Mistake(
        "late ASHA",
        "seeds: [0, 1]",
        "scheduler: {kind: asha, grace_epochs: 13}",
        21,
        "search.scheduler.grace_epochs",
        "more than a trial has (12)",
    ),
    Mistake(
        "late PASHA",
        "seeds: [0, 1]",
        "scheduler: {kind: pasha, grace_epochs: 13}",
        21,
        "search.scheduler.grace_epochs",
        "more than a trial has (12)",
    ),
    Mistake(
        "PASHA of unknown points",
        "space:\n    method.alpha2: [2.0, 4.0]",
        "algorithm: optuna\n  samples: 3\n  scheduler: {kind: pasha}\n  space:\n    method.alpha2: [2.0, 4.0]",
        21,
        "search.scheduler",
        "pasha has to know all trials beforehand: use asha with optuna",
    ),
    Mistake(
        "race of unknown points",
        "space:\n    method.alpha2: [2.0, 4.0]",
        "algorithm: optuna\n  samples: 3\n  racing: {}\n  space:\n    method.alpha2: [2.0, 4.0]",
        21,
        "search.racing",
        "needs algorithm: grid or random",
    ),
    Mistake(
        "race in brackets",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  racing: {}\n  scheduler: {kind: hyperband}",
        22,
        "search.racing",
        "use fifo, asha or pasha",
    ),
    Mistake(
        "race within max_trials",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  racing: {}\n  max_trials: 5",
        22,
        "search.racing",
        "leave out search.max_trials",
    ),
    Mistake(
        "race of too few seeds",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  racing: {least_seeds: 3}",
        22,
        "search.racing.least_seeds",
        "2 seeds in search.seeds are fewer than least_seeds (3): no point would ever leave",
    ),
    Mistake(
        "race of one seed",
        "seeds: [0, 1]",
        "seeds: [0]\n  racing: {}",
        22,
        "search.racing.least_seeds",
        "1 seed in search.seeds is fewer than least_seeds (2)",
    ),
    Mistake(
        "race of one point",
        "    method.alpha2: [2.0, 4.0]\n",
        "    method.alpha2: [2.0]\n  racing: {}\n",
        21,
        "search.racing",
        "a race compares points, and this search has only one: give keys of search.space several values",
    ),
    Mistake(
        "race of one draw",
        "space:\n    method.alpha2: [2.0, 4.0]",
        "algorithm: random\n  samples: 1\n  racing: {}\n  space:\n    method.alpha2: [2.0, 4.0]",
        21,
        "search.racing",
        "this search has only one: raise search.samples",
    ),
    Mistake(
        "pasha in which all are finalists",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  scheduler: {kind: pasha, finalists: 4}",
        22,
        "search.scheduler.finalists",
        "must be below the number of trials (4): otherwise all of them go on to their ends",
    ),
    Mistake(
        "pasha of one trial",
        "    method.alpha2: [2.0, 4.0]\n  seeds: [0, 1]",
        "    method.alpha2: [2.0]\n  seeds: [0]\n  scheduler: {kind: pasha}",
        22,
        "search.scheduler",
        "pasha compares trials, and this search has only one: use fifo",
    ),
    Mistake(
        "pasha of one rung",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  scheduler: {kind: pasha, reduction_factor: 12}",
        22,
        "search.scheduler.reduction_factor",
        "no rung lies between epoch 1 and the end (12): write a factor of 11 or less",
        "warning",
    ),
    Mistake(
        "pasha with grace for half of the epochs",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  scheduler: {kind: pasha, grace_epochs: 8}",
        22,
        "search.scheduler.reduction_factor",
        "no rung lies between epoch 8 and the end (12): write grace_epochs: 5, with a factor of 2",
        "warning",
    ),
    Mistake(
        "ASHA at the end",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  scheduler: {kind: asha, grace_epochs: 12}",
        22,
        "search.scheduler.grace_epochs",
        "12 epochs of grace are all that a trial has: none is stopped before its end",
        "warning",
    ),
    Mistake(
        "workers from one to another",
        "workers: 2",
        "workers: 1-2",
        23,
        "scaling.workers",
        "got text '1-2': write {min: 1, max: 2}",
    ),
    Mistake(
        "workers in quotes",
        "workers: 2",
        'workers: "2"',
        23,
        "scaling.workers",
        "got text '2': write 2 without quotes",
    ),
    Mistake(
        "AP in percent",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {at_least: 7}",
        22,
        "search.stop_when.at_least",
        "coco/bbox_mAP lies between 0 and 1, got 7: 7 percent is 0.07",
    ),
    Mistake(
        "AP beyond percent",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: voc/AP50, at_least: 700}",
        22,
        "search.stop_when.at_least",
        "voc/AP50 lies between 0 and 1, got 700",
        also=("kind: shapes\n  train_images: 8", "kind: voc\n  root: /data"),
    ),
    Mistake(
        "AP by its short name in percent",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: AP, at_least: 50}",
        22,
        "search.stop_when.at_least",
        "coco/bbox_mAP lies between 0 and 1, got 50: 50 percent is 0.5",
    ),
    Mistake(
        "AP of a class in percent",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: class_AP/circle, at_least: 60}",
        22,
        "search.stop_when.at_least",
        "class_AP/circle lies between 0 and 1, got 60: 60 percent is 0.6",
    ),
    Mistake(
        "AP below nothing",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {at_least: -0.1}",
        22,
        "search.stop_when.at_least",
        "coco/bbox_mAP lies between 0 and 1, got -0.1",
    ),
    Mistake(
        "goal of no record",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: nonsense, at_least: 1}",
        22,
        "search.stop_when.metric",
        "no trial of this study records nonsense: choose AP,",
    ),
    Mistake(
        "goal of a time, which differs between machines",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: time/hours, at_least: 1}",
        22,
        "search.stop_when.metric",
        "no trial of this study records time/hours",
    ),
    Mistake(
        "goal of another method's term",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: ratio/pkd, at_least: 1}",
        22,
        "search.stop_when.metric",
        "no trial of this study records ratio/pkd",
    ),
    Mistake(
        "goal of a weight that stays",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: weight/bckd_cls, at_least: 1}",
        22,
        "search.stop_when.metric",
        "no trial of this study records weight/bckd_cls, because no weight of a term changes in training (from, until, ramp and grad_share change it): choose AP,",
    ),
    Mistake(
        "goal of a weight that another term's timing changes",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: weight/pkd, at_least: 1}",
        22,
        "search.stop_when.metric",
        "no trial of this study records weight/pkd: choose weight/bckd_cls or weight/bckd_loc",
        also=("alpha1: 1.0", "from: 1"),
    ),
    Mistake(
        "goal of anchors that no term weighs",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: focus/pkd, at_least: 1}",
        22,
        "search.stop_when.metric",
        "no trial of this study records focus/pkd, because no term of it weighs anchors: choose AP,",
        also=(
            "kind: bckd\n  alpha1: 1.0\nschedule:\n  epochs: 12\n  lr: 1e-2\n  batch_size: 16\nsearch:\n  space:\n    method.alpha2:",
            "kind: pkd\n  levels: 4\nschedule:\n  epochs: 12\n  lr: 1e-2\n  batch_size: 16\nsearch:\n  space:\n    method.weight:",
        ),
    ),
    Mistake(
        "goal of a term without terms",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: grad_share/detection, at_least: 0.1}",
        22,
        "search.stop_when.metric",
        "no trial of this study records grad_share/detection, because no method of it has terms: choose AP,",
        also=(
            "kind: bckd\n  alpha1: 1.0\nschedule:\n  epochs: 12\n  lr: 1e-2\n  batch_size: 16\nsearch:\n  space:\n    method.alpha2:",
            "kind: none\nschedule:\n  epochs: 12\n\n  lr: 1e-2\n  batch_size: 16\nsearch:\n  space:\n    schedule.lr:",
        ),
    ),
    Mistake(
        "share of the gradient above the whole",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: grad_share/bckd_cls, at_least: 1.5}",
        22,
        "search.stop_when.at_least",
        "grad_share/bckd_cls lies between 0 and 1, got 1.5",
    ),
    Mistake(
        "focus in percent",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: focus/bckd_cls, at_least: 7}",
        22,
        "search.stop_when.at_least",
        "focus/bckd_cls lies between 0 and 1, got 7: 7 percent is 0.07",
    ),
    Mistake(
        "ratio below nothing",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: ratio/bckd_cls, at_least: -1}",
        22,
        "search.stop_when.at_least",
        "ratio/bckd_cls is never below 0, got -1",
    ),
    Mistake(
        "a goal of a loss",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: loss/total, at_least: 0.1}",
        22,
        "search.stop_when.metric",
        "less of loss/total is better, and a metric rises to its goal: choose an average precision",
    ),
    Mistake(
        "learning rate above the schedule's",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: lr, at_least: 1}",
        22,
        "search.stop_when.at_least",
        "lr lies between 0 and 0.01, got 1",
    ),
    Mistake(
        "weight above the study's",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: weight/bckd_loc, at_least: 5}",
        22,
        "search.stop_when.at_least",
        "weight/bckd_loc lies between 0 and 4, got 5",
        also=("alpha1: 1.0", "until: 0.5"),
    ),
    Mistake(
        "class as the data spell it",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: class_AP/C+, at_least: 0.1}",
        23,
        "search.stop_when.metric",
        "no trial of this study records class_AP/C+ (did you mean class_AP/C_x002B_?)",
        also=("kind: shapes\n  train_images: 8", "kind: voc\n  root: /data\n  classes: [C, C+]"),
    ),
    Mistake(
        "class of strange characters without its prefix",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: C+, at_least: 0.1}",
        23,
        "search.stop_when.metric",
        "(did you mean class_AP/C_x002B_?)",
        also=("kind: shapes\n  train_images: 8", "kind: voc\n  root: /data\n  classes: [C, C+]"),
    ),
    Mistake(
        "class that is not there",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: class_AP/zebra, at_least: 0.1}",
        22,
        "search.stop_when.metric",
        "no trial of this study records class_AP/zebra: choose class_AP/circle, class_AP/square or class_AP/triangle",
    ),
    Mistake(
        "class that is not among many",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  stop_when: {metric: class_AP/qqq, at_least: 0.1}",
        23,
        "search.stop_when.metric",
        "records class_AP/qqq: choose class_AP/a1, class_AP/b1, class_AP/c1, class_AP/d1, class_AP/e1, class_AP/f1 or that of 2 other classes",
        also=(
            "kind: shapes\n  train_images: 8",
            "kind: voc\n  root: /data\n  classes: [a1, b1, c1, d1, e1, f1, g1, h1]",
        ),
    ),
    Mistake(
        "factors of a population that change nothing",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  population: {factors: [1, 1]}",
        22,
        "search.population.factors",
        "a factor of 1 changes no value: give one below 1 and one above",
    ),
    Mistake(
        "factor of a population that changes nothing",
        "seeds: [0, 1]",
        "seeds: [0, 1]\n  population: {factors: [0.8, 1.0]}",
        22,
        "search.population.factors",
        "a factor of 1 changes no value",
    ),
    Mistake(
        "loss of nobody",
        "  seeds:",
        "  metric: loss/nonsense\n  seeds:",
        21,
        "search.metric",
        "no trial of this study records loss/nonsense: choose loss/total, loss/cls, loss/bbox, loss/dfl, loss/bckd_cls or",
    ),
    Mistake(
        "loss with mmdet's prefix",
        "  seeds:",
        "  metric: loss/loss_dfl\n  seeds:",
        21,
        "search.metric",
        "no trial of this study records loss/loss_dfl (did you mean loss/dfl?)",
    ),
    # resources
    Mistake(
        "a share of a GPU for each of several workers",
        "workers: 2",
        "workers: 2\n  gpus_per_worker: 0.5",
        24,
        "scaling.gpus_per_worker",
        "each of several workers takes whole GPUs, got 0.5: write 1, or workers: 1",
    ),
    Mistake(
        "a share of a GPU for each of elastic workers",
        "workers: 2",
        "workers: {min: 1, max: 2}\n  gpus_per_worker: 0.5",
        24,
        "scaling.gpus_per_worker",
        "each of several workers takes whole GPUs, got 0.5: write 1, or workers: 1",
    ),
    Mistake(
        "shared GPUs for each of several workers",
        "workers: 2",
        "workers: 2\n  gpus_per_worker: shared",
        24,
        "scaling.gpus_per_worker",
        "each of several workers takes whole GPUs, got shared: write 1, or workers: 1",
    ),
    # surroundings
    Mistake(
        "unknown tracking", "tags: {team: vision}", "uri: sqlitee:///a.db", 25, "tracking.uri", "(did you mean sqlite?)"
    ),
    Mistake(
        "tracking without scheme", "tags: {team: vision}", "uri: results", 25, "tracking.uri", "must begin with sqlite:"
    ),
    Mistake(
        "tracking without http", "tags: {team: vision}", "uri: my-host:5000", 25, "tracking.uri", "http://my-host:5000?"
    ),
    Mistake(
        "tracking page", "tags: {team: vision}", "uri: http://host/#/experiments/3", 25, "tracking.uri", "ends before ?"
    ),
    Mistake("tracking one slash", "tags: {team: vision}", "uri: http:/host:5000", 25, "tracking.uri", "two slashes"),
    Mistake("tracking without host", "tags: {team: vision}", "uri: http://", 25, "tracking.uri", "names no server"),
    Mistake("tracking in memory", "tags: {team: vision}", "uri: sqlite://", 25, "tracking.uri", "names no file"),
    Mistake(
        "tracking slashes",
        "tags: {team: vision}",
        "uri: sqlite://a.db",
        25,
        "tracking.uri",
        "sqlite:////absolute/path.db",
    ),
    Mistake("no base", "name: demo", "name: demo\nbase: none.yaml", 2, "base", "no such file: none.yaml"),
    Mistake("base that is no name", "name: demo", "name: demo\nbase: 5", 2, "base", "must name a file"),
    Mistake("bases that are no names", "name: demo", "name: demo\nbase: [a.yaml, 5]", 2, "base", "must name a file"),
    Mistake("no bases", "name: demo", "name: demo\nbase: []", 2, "base", "must name a file"),
    Mistake(
        "base of a list is missing", "name: demo", "name: demo\nbase:\n  - a.yaml", 3, "base", "no such file: a.yaml"
    ),
    Mistake(
        "shipped base outside",
        "name: demo",
        "name: demo\nbase: stillhouse::../README.md",
        2,
        "base",
        "no such file: stillhouse::../README.md",
    ),
    Mistake(
        "itself as base",
        "name: demo",
        "name: demo\nbase: study.yaml",
        2,
        "base",
        "round in a circle: study.yaml -> study.yaml",
    ),
    # worth knowing, but no errors
    Mistake(
        "teacher without method",
        "kind: bckd\n  alpha1: 1.0",
        "kind: none",
        5,
        "teacher",
        "is not used",
        "warning",
        SEARCHED_LR,
    ),
    Mistake(
        "no data",
        "kind: shapes\n  train_images: 8",
        "kind: coco\n  root: data",
        4,
        "dataset.root",
        "no such folder: data",
        "missing",
    ),
    Mistake(
        "unset variable",
        "kind: shapes\n  train_images: 8",
        "kind: coco\n  root: ${STILLHOUSE_UNSET}/coco",
        4,
        "dataset.root",
        "variable STILLHOUSE_UNSET is not set",
        "missing",
    ),
    Mistake(
        "rare evaluations",
        "epochs: 12",
        "epochs: 12\n  val_interval: 2",
        16,
        "schedule.val_interval",
        "every 2 epochs",
        "warning",
        ASHA,
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.id.replace(" ", "-"))
def test_mistake_is_reported_at_its_line(mistake: Mistake, tmp_path: Path) -> None:
    text = edit(mistake.old, mistake.new)
    if mistake.also:
        text = text.replace(*mistake.also)
    found = findings_of(write(tmp_path, text))
    where = f"study.yaml:{mistake.line}" + (f": {mistake.key}" if mistake.key else "")
    reported = [message for level, place, message in found if (level, place) == (mistake.level, where)]
    assert any(mistake.says in message for message in reported), found


@pytest.mark.parametrize(
    "goal",
    [
        *(
            "AP75, at_least: 0.4",
            "class_AP/square, at_least: 0.4",
        ),
        *(
            "ratio/bckd_cls, at_least: 2",
            "grad_share/detection, at_least: 0.1",
            "lr, at_least: 0.01",
            "focus/bckd_loc, at_least: 1",
        ),
    ],
)
def test_a_goal_may_be_any_metric_that_trials_record(goal: str, tmp_path: Path) -> None:
    text = edit("seeds: [0, 1]", f"seeds: [0, 1]\n  stop_when: {{metric: {goal}}}")
    assert findings_of(write(tmp_path, text)) == []


def test_a_goal_may_be_a_weight_that_follows_a_share(tmp_path: Path) -> None:
    text = edit("seeds: [0, 1]", "seeds: [0, 1]\n  stop_when: {metric: weight/pkd, at_least: 5000}")
    text = text.replace("kind: bckd\n  alpha1: 1.0", "kind: pkd\n  weight: {grad_share: 0.3}")
    assert findings_of(write(tmp_path, text.replace("method.alpha2: [2.0, 4.0]", "method.levels: [2, 4]"))) == []


def test_the_losses_of_a_head_that_nobody_described_are_not_known(tmp_path: Path) -> None:
    text = edit("  seeds:", "  metric: loss/rpn_cls\n  seeds:")
    text = text.replace(
        "student:\n  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py",
        "student:\n  config: mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py",
    )
    text = text.replace("kind: bckd\n  alpha1: 1.0", "kind: pkd").replace("method.alpha2", "method.weight")
    assert findings_of(write(tmp_path, text)) == []


def test_study_without_mistakes_is_silent(tmp_path: Path) -> None:
    assert findings_of(write(tmp_path, VALID)) == []
