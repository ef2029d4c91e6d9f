"""Translate the words of other tools into keys of a study: those of Ultralytics, Hugging Face, Lightning and mmdet.

Messages about unknown keys and unknown options ask this one table.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

DETECTOR = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
DEVICE = "GPUs are used where there are any; scaling.gpus_per_worker=0 trains on the CPU"
STORE = "results go to the folder that --store or STILLHOUSE_STORE names"


class Translation(NamedTuple):
    """Hold a study's key for a word of another tool, and a value for it as YAML.

    ``of_number`` makes the value of a number that the word was given, where that is more than the number.
    """

    key: str
    example: str
    of_number: str = "{0}"

    def value(self, given: Any) -> str:
        """Return the value to write: made of ``given`` if that is a number and the key takes numbers."""
        takes_numbers = self.is_number or self.of_number != "{0}"
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return self.of_number.format(given) if takes_numbers and is_number else self.example

    @property
    def is_number(self) -> bool:
        """Tell whether the key takes a number."""
        return self.example[:1].isdigit()

    def yaml(self, given: Any) -> str:
        """Return the key and its value as one line of a study."""
        section, *rest = self.key.split(".")
        text = self.value(given)
        for key in reversed(rest):
            text = f"{{{key}: {text}}}"
        return f"{section}: {text}"


TRANSLATIONS: dict[Translation, str] = {
    Translation("schedule.lr", "0.01"): "lr learning_rate lr0 base_lr init_lr initial_lr",
    Translation("schedule.epochs", "12"): "epoch epochs max_epochs num_epochs n_epochs num_train_epochs total_epochs",
    Translation("schedule.iterations", "1000"): "iters max_iters max_steps num_steps total_iters train_steps steps",
    Translation("schedule.batch_size", "16"): (
        "bs batch batch_size train_batch_size per_device_train_batch_size samples_per_gpu "
        "auto_scale_lr total_batch_size"
    ),
    Translation("schedule.lr_batch", "16"): "nbs base_batch_size",
    Translation("schedule.optimizer", "{kind: adamw}"): "optim optimizer optimiser optim_wrapper adam adamw sgd",
    Translation("schedule.optimizer.momentum", "0.9"): "momentum",
    Translation("schedule.optimizer.weight_decay", "0.05"): "weight_decay wd decay",
    Translation("schedule.warmup.iterations", "500"): "warmup_iters warmup_iterations warmup_steps num_warmup_steps",
    Translation("schedule.warmup.epochs", "1"): "warmup_epochs num_warmup_epochs",
    Translation("schedule.warmup", "{iterations: 500}"): "warmup warmup_ratio",
    Translation("schedule.policy", "{kind: cosine}"): (
        "scheduler lr_scheduler lr_scheduler_type lr_schedule lr_policy lr_config param_scheduler cos_lr lrf"
    ),
    Translation("schedule.policy.milestones", "[8, 11]", "[{0}]"): "milestones lr_steps lr_drop",
    Translation("schedule.precision", "bf16"): "amp fp16 bf16 half precision mixed_precision",
    Translation("schedule.clip_grad", "35"): "grad_clip clip_grad max_grad_norm gradient_clip_val clip_norm",
    Translation("schedule.ema", "{momentum: 1e-4}"): "ema use_ema model_ema",
    Translation("schedule.val_interval", "1"): (
        "val_interval eval_interval check_val_every_n_epoch eval_steps evaluation_strategy eval_strategy evaluation"
    ),
    Translation("schedule.closing_epochs", "10"): "close_mosaic no_aug_epochs num_last_epochs",
    Translation("dataset.image_size", "[640, 640]", "[{0}, {0}]"): (
        "imgsz img_size image_size imgs_size input_size img_scale input_shape resolution size"
    ),
    Translation("dataset.classes", "[cat, dog]"): (
        "nc num_classes n_classes names classes class_names categories labels label_names metainfo id2label"
    ),
    Translation("dataset.root", "photos"): "data data_dir data_root data_path dataset_path root img_dir image_dir",
    Translation("dataset.kind", "coco"): "dataset_type data_type annotation_format format",
    Translation("dataset.train", "{annotations: train.json, images: train}"): (
        "train train_data train_dataset train_dataloader ann_file annotations trainset"
    ),
    Translation("dataset.val", "{annotations: val.json, images: val}"): (
        "val valid validation val_data val_dataset val_dataloader eval_dataset valset"
    ),
    Translation("dataset.test", "{annotations: test.json, images: test}"): (
        "test test_data test_dataset test_dataloader testset"
    ),
    Translation("dataset.split", "{val: 0.2, seed: 0}", "{{val: {0}, seed: 0}}"): (
        "split splits val_split split_ratio test_size validation_split val_fraction val_ratio"
    ),
    Translation("dataset.augmentation", "mosaic"): "augment augmentation augmentations mosaic transforms pipeline",
    Translation("dataset.flip", "0.5"): "fliplr flip_prob hflip flip_ratio",
    Translation("dataset.max_detections", "300"): "max_det max_dets max_per_img",
    Translation("dataset.multi_scale", "{kind: range, short: [480, 800]}"): "multi_scale",
    Translation("student.config", DETECTOR): "model models arch architecture net network config cfg model_name",
    Translation("student.weights", "imagenet"): (
        "weights pretrained checkpoint load_from init_cfg resume_from model_name_or_path pretrained_weights"
    ),
    Translation("student.freeze", "{stages: 1, norms: true}"): "freeze frozen_stages norm_eval freeze_backbone",
    Translation("student.backbone_depth", "18"): "backbone depth_of_backbone",
    Translation("student.width", "0.5"): "width_multiple widen_factor width_mult",
    Translation("student.depth", "0.33"): "depth_multiple deepen_factor",
    Translation("teacher", f"{{kind: checkpoint, path: teacher.pth, detector: {{config: {DETECTOR}}}}}"): (
        "teacher_ckpt teacher_checkpoint teacher_weights teacher_load_from teacher_pretrained"
    ),
    Translation("teacher.detector", f"{{config: {DETECTOR}}}"): "teacher_config teacher_cfg teacher_model",
    Translation("method", "{kind: bckd}"): "distiller distill distillation distill_cfg distill_losses kd algorithm",
    Translation("method.temperature", "10.0"): "temperature tau",
    Translation("search.seeds", "[0, 1, 2]", "[{0}]"): "seed seeds random_seed random_state randomness manual_seed",
    Translation("search.samples", "20"): "n_trials num_samples num_trials trials samples",
    Translation("search.space", "{schedule.lr: [0.005, 0.01]}"): (
        "space search_space param_space parameters hyperparameters hparams grid sweep"
    ),
    Translation("search.algorithm", "optuna"): "sampler search_alg tuner",
    Translation("search.scheduler", "{kind: asha}"): "pruner early_stopping early_stop patience",
    Translation("search.stop_when", "{metric: coco/bbox_mAP, at_least: 0.4}"): "stop stop_when target_metric",
    Translation("search.max_hours", "8"): "time_budget max_time timeout",
    Translation("scaling.workers", "2"): "num_gpus n_gpus world_size nproc_per_node num_nodes workers",
    Translation("scaling.gpus_per_worker", "1"): "gpu gpus resources_per_trial",
    Translation("scaling.loader_workers", "4"): (
        "num_workers dataloader_num_workers workers_per_gpu loader_workers persistent_workers"
    ),
    Translation("scaling.max_concurrent", "2"): "max_concurrent max_concurrent_trials parallel n_jobs",
    Translation("tracking.uri", "sqlite:///mlflow.db"): "mlflow tracking_uri logger wandb report_to vis_backends",
    Translation("tracking.experiment", "photos"): "experiment experiment_name exp_name run_name project",
    Translation("name", "photos"): "title study_name study",
    Translation("base", "other.yaml"): "_base_ extends inherit_from include defaults",
}
# Values of keys whose form follows from the kind of their section, where that is not the one above.
OF_KIND: dict[tuple[str, str], str] = {
    (f"dataset.{split}", kind): form.format(split)
    for split in ("train", "val", "test")
    for kind, form in (("voc", "[{{folder: VOC2007, set: {0}}}]"), ("yolo", "{{images: images/{0}}}"))
}
# Words for which a study has no key, and why.
NOTES: dict[str, str] = {
    **dict.fromkeys(("output_dir", "work_dir", "save_dir", "exist_ok", "store", "default_root_dir"), STORE),
    **dict.fromkeys(("device", "devices", "accelerator", "cuda", "no_cuda", "use_cpu"), DEVICE),
    **dict.fromkeys(("resume", "resume_from_checkpoint", "auto_resume"), "the same command resumes by itself"),
    **dict.fromkeys(
        ("save_period", "save_steps", "save_strategy", "checkpoint_config", "default_hooks"),
        "a state is saved after each epoch, and after scaling.checkpoint_steps within it",
    ),
    **dict.fromkeys(
        ("metric_for_best_model", "save_best", "monitor"),
        "the best epoch is the one of the highest AP; search.metric compares trials by another metric of that epoch",
    ),
}
# Kinds of sections, as other tools call them.
KINDS: dict[str, str] = {
    "adam": "adamw", "radam": "adamw", "nadam": "adamw", "adamw_torch": "adamw",
    "multi_step_lr": "step", "multistep": "step", "step_lr": "step", "cosine_annealing_lr": "cosine",
    "cosine_annealing": "cosine", "one_cycle": "cosine", "constant_lr": "constant",
    "coco_dataset": "coco", "coco_json": "coco", "json": "coco", "voc_dataset": "voc", "pascal_voc": "voc",
    "pascal": "voc", "xml": "voc", "ultralytics": "yolo", "txt": "yolo", "yolov5": "yolo", "yolov8": "yolo",
    "pretrained": "zoo", "ckpt": "checkpoint", "scratch": "train",
    "tpe": "optuna", "bayes": "optuna", "bayesian": "optuna", "population": "pbt", "grid_search": "grid",
    "async_hyper_band": "asha", "median": "asha", "baseline": "none", "no": "none",
    "gid": "gid-response", "localization_distillation": "ld", "pearson": "pkd",
}  # fmt: skip


def translation(word: str) -> Translation | None:
    """Return the study's key for a ``word`` of another tool, ``None`` for an unknown word."""
    return _by_word().get(normal(word))


def note(word: str) -> str | None:
    """Return why a study has no key for ``word``, ``None`` for an unknown word."""
    return _notes().get(normal(word))


def example_of(key: str) -> Translation | None:
    """Return the translation that leads to a dotted key, ``None`` where none does."""
    return next((known for known in TRANSLATIONS if known.key == key), None)


def in_kind(known: Translation, kind: object) -> Translation:
    """Return a translation with the value that its key has in a section of this ``kind``."""
    example = OF_KIND.get((known.key, str(kind)))
    return known if example is None else known._replace(example=example, of_number="{0}")


def kind_meant(kind: str, kinds: Sequence[str]) -> str | None:
    """Return the one of ``kinds`` that another tool calls ``kind``, ``None`` when there is none."""
    found = _kinds().get(normal(kind))
    return found if found in kinds else None


def normal(word: str) -> str:
    """Return a word's letters and digits in lower case: ``--imgSize``, ``img-size`` and ``img_size`` are one word."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


@cache
def _by_word() -> dict[str, Translation]:
    return {normal(word): known for known, words in TRANSLATIONS.items() for word in words.split()}


@cache
def _notes() -> dict[str, str]:
    return {normal(word): reason for word, reason in NOTES.items()}


@cache
def _kinds() -> dict[str, str]:
    return {normal(word): kind for word, kind in KINDS.items()}
