"""Optimizers and learning rates are those of mmdet's configs and of the formulas."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmdet
import pytest
import torch
from mmdet.models.backbones import SwinTransformer
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from ruamel.yaml import YAML
from torch import nn

from trainers.loop.optimise import build_optimizer, build_schedulers, learning_rate
from trainers.schema import Schedule
from trainers.schema.schedule import AdamW, ConstantPolicy, CosinePolicy, Sgd, StepPolicy, Warmup
from trainers.schema.zoo import configs_dir

MMDET_CONFIGS = Path(mmdet.__file__).parent / ".mim" / "configs"
ALONE = {"warmup": Warmup(iterations=0), "policy": ConstantPolicy(kind="constant")}


class Layers(nn.Module):
    """Hold one of each kind of parameter that an optimizer may treat apart, and a frozen one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.batch_norm = nn.BatchNorm2d(2)
        self.group_norm = nn.GroupNorm(1, 2)
        self.layer_norm = nn.LayerNorm(2)
        self.linear = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(()))
        self.frozen = nn.Linear(2, 2).requires_grad_(False)


def fragment(name: str) -> Schedule:
    """Return the schedule of a file of ``configs/schedules``, which must hold nothing else."""
    content = YAML(typ="safe").load(configs_dir() / "schedules" / name)
    assert list(content) == ["schedule"]
    return Schedule.model_validate_json(json.dumps(content["schedule"]))


def of_mmdet(name: str) -> Any:
    return Config.fromfile(MMDET_CONFIGS / name)


def groups(optimizer: Any, model: nn.Module) -> dict[str, dict[str, Any]]:
    """Return the settings of each trainable parameter."""
    names = {parameter: name for name, parameter in model.named_parameters() if parameter.requires_grad}
    keep = ("lr", "weight_decay", "momentum", "nesterov", "betas")
    return {
        names[parameter]: {key: group[key] for key in keep if key in group}
        for group in optimizer.optimizer.param_groups
        for parameter in group["params"]
        if parameter in names
    }


def our_rates(schedule: Schedule, per_epoch: int, steps: int | None = None) -> list[dict[str, float]]:
    """Return each parameter's learning rate at each step."""
    model = Layers()
    optimizer = build_optimizer(model, schedule)
    schedulers = build_schedulers(optimizer, schedule, per_epoch)
    return list(stepped(optimizer, model, schedulers, per_epoch, steps or schedule.total_steps(per_epoch)))


def mmdet_rates(config: Any, per_epoch: int, steps: int) -> list[dict[str, float]]:
    """Return the same as mmengine's runner would set it for a config of mmdet."""
    model = Layers()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    settings = [{**item, "optimizer": optimizer, "epoch_length": per_epoch} for item in config.param_scheduler]
    for item in settings:
        if not item.get("convert_to_iter_based"):
            del item["epoch_length"]
    with DefaultScope.overwrite_default_scope("mmdet"):
        schedulers = [PARAM_SCHEDULERS.build(item) for item in settings]
    return list(stepped(optimizer, model, schedulers, per_epoch, steps))


def stepped(
    optimizer: Any, model: nn.Module, schedulers: list[Any], per_epoch: int, steps: int
) -> Iterator[dict[str, float]]:
    for step in range(1, steps + 1):
        yield {name: group["lr"] for name, group in groups(optimizer, model).items()}
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or step % per_epoch == 0:
                scheduler.step()


def rates(schedule: Schedule, per_epoch: int) -> list[float]:
    """Return the learning rate of a weight at each step."""
    return [step["conv.weight"] for step in our_rates(schedule, per_epoch)]


# ------------------------------------------------------------------------------------------------ mmdet's own recipes

RECIPES = {  # file: mmdet's config, and steps of an epoch that leave the warm-up room
    "1x.yaml": ("gfl/gfl_r50_fpn_1x_coco.py", 70),
    "2x.yaml": ("gfl/gfl_r50_fpn_ms-2x_coco.py", 35),
    "voc.yaml": ("pascal_voc/retinanet_r50_fpn_1x_voc0712.py", 5),
    "yolox_300e.yaml": ("yolox/yolox_s_8xb8-300e_coco.py", 3),
    "rtmdet_300e.yaml": ("rtmdet/rtmdet_l_8xb32-300e_coco.py", 7),
    "fcos_1x.yaml": ("fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py", 70),
    "fcos_ms_2x.yaml": ("fcos/fcos_r50-caffe_fpn_gn-head_ms-640-800-2x_coco.py", 35),
    "retinanet_gid_2x.yaml": ("retinanet/retinanet_r50_fpn_90k_coco.py", 7),
}
ITERATIONS = "retinanet_gid_2x.yaml"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_leaves_nothing_of_a_schedule_below_it(name: str) -> None:
    schedule = fragment(name)
    assert schedule.model_dump(exclude_unset=True) == schedule.model_dump()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_treats_parameters_as_mmdet_does(name: str) -> None:
    config, model, schedule = of_mmdet(RECIPES[name][0]), Layers(), fragment(name)
    theirs = build_optim_wrapper(model, config.optim_wrapper)
    ours = build_optimizer(model, schedule)
    assert groups(ours, model) == groups(theirs, model)
    assert type(ours.optimizer) is type(theirs.optimizer)
    assert ours.clip_grad_kwargs == theirs.clip_grad_kwargs


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - {ITERATIONS}))
def test_a_recipe_has_the_learning_rates_of_mmdet_at_each_step(name: str) -> None:
    config, per_epoch = of_mmdet(RECIPES[name][0]), RECIPES[name][1]
    schedule = fragment(name)
    assert schedule.epochs == config.train_cfg.max_epochs
    ours = our_rates(schedule, per_epoch)
    assert len({step["conv.weight"] for step in ours}) > 1
    assert ours == mmdet_rates(config, per_epoch, schedule.epochs * per_epoch)


def test_gid_has_the_learning_rates_of_mmdets_90k_over_twice_as_many_steps() -> None:
    """Both are shortened a hundredfold beside their warm-up."""
    config, schedule = of_mmdet(RECIPES[ITERATIONS][0]), fragment(ITERATIONS)
    assert schedule.iterations == 2 * config.train_cfg.max_iters
    policy = config.param_scheduler[1]
    policy.milestones = [2 * milestone // 100 for milestone in policy.milestones]
    short = schedule.model_copy(
        update={
            "iterations": schedule.iterations // 100,
            "policy": StepPolicy(kind="step", milestones=tuple(m // 100 for m in schedule.policy.milestones)),
        }
    )
    assert our_rates(short, 7) == mmdet_rates(config, 7, 1800)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_which_batch_its_learning_rate_is_for(name: str) -> None:
    config, schedule = of_mmdet(RECIPES[name][0]), fragment(name)
    base = config.auto_scale_lr.base_batch_size
    if name == "rtmdet_300e.yaml":  # mmdet's config inherits that number from a schedule for other detectors
        base = 8 * config.train_dataloader.batch_size
    assert (schedule.batch_size, schedule.lr_batch, schedule.effective_lr) == (base, base, schedule.lr)


def test_swin_keeps_norms_and_position_tables_undecayed_as_in_mmdet() -> None:
    model = SwinTransformer(embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), use_abs_pos_embed=True)
    theirs = of_mmdet("swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py").optim_wrapper
    rule = AdamW(kind="adamw", weight_decay=0.05, norm_weight_decay=False)
    ours = groups(build_optimizer(model, Schedule(lr=1e-4, optimizer=rule)), model)
    assert ours == groups(build_optim_wrapper(model, theirs), model)
    assert {"absolute_pos_embed", "stages.0.blocks.0.attn.w_msa.relative_position_bias_table"} <= {
        name for name, group in ours.items() if group["weight_decay"] == 0.0
    }


# --------------------------------------------------------------------------------------------------- parameters apart


def test_norms_and_biases_are_treated_apart_only_when_asked() -> None:
    everything = {name: group["weight_decay"] for name, group in of_rule(Sgd(kind="sgd", weight_decay=0.5)).items()}
    assert set(everything.values()) == {0.5}
    norms = {"batch_norm", "group_norm", "layer_norm"}
    rule = of_rule(Sgd(kind="sgd", weight_decay=0.5, norm_weight_decay=False))
    assert {name.split(".")[0] for name, group in rule.items() if group["weight_decay"] == 0.0} == norms
    rule = of_rule(AdamW(kind="adamw", weight_decay=0.5, bias_weight_decay=False, bias_lr_factor=3.0))
    assert {name for name, group in rule.items() if group["weight_decay"] == 0.0} == {"conv.bias", "linear.bias"} | {
        f"{norm}.bias" for norm in norms
    }
    assert {name: group["lr"] for name, group in rule.items() if group["lr"] != 0.01} == {
        "conv.bias": pytest.approx(0.03),
        "linear.bias": pytest.approx(0.03),
    }


def of_rule(rule: Sgd | AdamW) -> dict[str, dict[str, Any]]:
    model = Layers()
    return groups(build_optimizer(model, Schedule(optimizer=rule, **ALONE)), model)


def test_the_learning_rate_that_is_recorded_is_not_that_of_a_bias() -> None:
    model = nn.Module()
    model.bias = nn.Parameter(torch.ones(1))
    model.weight = nn.Parameter(torch.ones(1))
    schedule = Schedule(lr=0.1, optimizer=Sgd(kind="sgd", bias_lr_factor=2.0), warmup=Warmup(iterations=4, factor=0.5))
    optimizer = build_optimizer(model, schedule)
    schedulers = build_schedulers(optimizer, schedule, steps_per_epoch=5)
    assert learning_rate(optimizer) == pytest.approx(0.05)
    for _ in range(10):
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert learning_rate(optimizer) == pytest.approx(0.1)


# -------------------------------------------------------------------------------------------------- the learning rate


@pytest.mark.parametrize(("batch", "lr_batch", "expected"), [(16, None, 0.08), (16, 16, 0.08), (4, 16, 0.02)])
def test_a_learning_rate_follows_the_batch_that_it_belongs_to(
    batch: int, lr_batch: int | None, expected: float
) -> None:
    schedule = Schedule(lr=0.08, batch_size=batch, lr_batch=lr_batch, **ALONE)
    assert rates(schedule, 1) == pytest.approx([expected] * 12)


@pytest.mark.parametrize("length", [{"iterations": 6}, {"epochs": 2}])
@pytest.mark.parametrize(
    ("shape", "factor", "share"),
    [
        ("linear", 0.1, lambda step: 0.1 + 0.9 * step / 5),
        ("constant", 0.25, lambda step: 0.25 if step < 5 else 1.0),
        ("quadratic", 0.001, lambda step: ((step + 1) / 6) ** 2),
    ],
)
def test_warm_ups_have_their_shape_and_reach_the_learning_rate_at_their_last_step(
    shape: str, factor: float, share: Any, length: dict[str, int]
) -> None:
    warmup = Warmup(shape=shape, factor=factor, **length)
    schedule = Schedule(epochs=3, lr=0.1, warmup=warmup, policy=ConstantPolicy(kind="constant"))
    assert rates(schedule, 3) == pytest.approx([0.1 * share(step) for step in range(6)] + [0.1] * 3)


@pytest.mark.parametrize("shape", ["linear", "constant", "quadratic"])
@pytest.mark.parametrize("length", [{"iterations": 1}, {"epochs": 1}])
def test_a_warm_up_of_one_step_reaches_the_learning_rate_at_it(shape: Any, length: dict[str, int]) -> None:
    schedule = Schedule(epochs=3, lr=0.1, warmup=Warmup(shape=shape, **length), policy=ConstantPolicy(kind="constant"))
    assert rates(schedule, 1) == pytest.approx([0.1] * 3)


def test_a_cosine_ends_where_the_closing_epochs_begin() -> None:
    policy = CosinePolicy(kind="cosine", final_factor=0.2)
    schedule = Schedule(epochs=10, closing_epochs=4, lr=1.0, warmup=Warmup(iterations=0), policy=policy)
    falling = [0.2 + 0.8 * (1 + math.cos(math.pi * step / 12)) / 2 for step in range(12)]
    found = rates(schedule, 2)
    assert found[:12] == pytest.approx(falling)
    assert set(found[12:]) == {found[12]}
    assert found[12] < 0.23
    assert schedule.closing_step(2) == 12


def test_a_schedule_without_closing_epochs_never_comes_to_them() -> None:
    for schedule in (Schedule(epochs=20), Schedule(epochs=20, iterations=7), steps_only()):
        assert schedule.closing_step(5) >= schedule.total_steps(5)


def steps_only(**changes: Any) -> Schedule:
    policy = StepPolicy(kind="step", milestones=(6, 9))
    return Schedule(**{"epochs": None, "iterations": 12, "lr": 1.0, **ALONE, "policy": policy, **changes})


@pytest.mark.parametrize("per_epoch", [1, 5, 1000])
def test_milestones_count_steps_where_the_schedule_does(per_epoch: int) -> None:
    assert rates(steps_only(), per_epoch) == pytest.approx([1.0] * 6 + [0.1] * 3 + [0.01] * 3)


@pytest.mark.parametrize("per_epoch", [1, 5, 1000])
def test_a_cosine_counts_steps_where_the_schedule_does(per_epoch: int) -> None:
    schedule = steps_only(policy=CosinePolicy(kind="cosine"))
    assert rates(schedule, per_epoch) == pytest.approx([(1 + math.cos(math.pi * step / 12)) / 2 for step in range(12)])


def test_a_schedule_that_is_cut_short_has_the_learning_rates_of_the_whole() -> None:
    whole = Schedule(epochs=12, warmup=Warmup(iterations=4))
    assert our_rates(whole.model_copy(update={"iterations": 20}), 2) == our_rates(whole, 2)[:20]


@pytest.mark.parametrize("policy", [CosinePolicy(kind="cosine"), StepPolicy(kind="step", milestones=(1,))])
@pytest.mark.parametrize("epochs", [None, 12])
def test_a_schedule_that_only_evaluates_can_be_built(policy: Any, epochs: int | None) -> None:
    schedule = Schedule(epochs=epochs, iterations=0, policy=policy)
    assert our_rates(schedule, 3) == []


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_gradients_are_clipped_as_by_mmengine_to_the_bit(scale: float) -> None:
    schedule = Schedule(epochs=1, batch_size=2, lr=0.1, clip_grad=5.0, **ALONE)
    found = []
    for ours in (True, False):
        torch.manual_seed(0)
        model = Layers()
        optimizer = build_optimizer(model, schedule)
        if not ours:
            optimizer = OptimWrapper(optimizer.optimizer, clip_grad={"max_norm": 5.0, "norm_type": 2})
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter) * scale if parameter.requires_grad else None
        optimizer.step()
        found.append(model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
