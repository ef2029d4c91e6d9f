"""Compute distillation losses: plain torch, tensors in, a scalar out.

Shape suffixes, always in this order::

    A  anchors (or points) of all levels and all images of the batch, flattened
    C  classes
    L  pyramid levels
    4  corners x1, y1, x2, y2 of a box

All losses compute in float32, or in float64 where an input has it, also under autocast and for half inputs.
"""

from trainers.distill.losses.bckd import classification_and_peak as classification_and_peak
from trainers.distill.losses.bckd import classification_distillation as classification_distillation
from trainers.distill.losses.bckd import localization_distillation as localization_distillation
from trainers.distill.losses.boxes import paired_giou as paired_giou
from trainers.distill.losses.boxes import paired_iou as paired_iou
from trainers.distill.losses.crosskd import align_statistics as align_statistics
from trainers.distill.losses.crosskd import cross_box_distillation as cross_box_distillation
from trainers.distill.losses.crosskd import cross_distribution_distillation as cross_distribution_distillation
from trainers.distill.losses.cwd import channel_wise_distillation as channel_wise_distillation
from trainers.distill.losses.feature import score_weighted_distillation as score_weighted_distillation
from trainers.distill.losses.fgd import FocalWeights as FocalWeights
from trainers.distill.losses.fgd import focal_distillation as focal_distillation
from trainers.distill.losses.fgd import global_distillation as global_distillation
from trainers.distill.losses.gid import general_instances as general_instances
from trainers.distill.losses.gid import gid_response as gid_response
from trainers.distill.losses.ld import box_distribution_distillation as box_distribution_distillation
from trainers.distill.losses.ld import class_distribution_distillation as class_distribution_distillation
from trainers.distill.losses.ld import main_ld_weight as main_ld_weight
from trainers.distill.losses.levels import level_gate as level_gate
from trainers.distill.losses.mgd import kept_places as kept_places
from trainers.distill.losses.mgd import masked_generative_distillation as masked_generative_distillation
from trainers.distill.losses.pkd import pearson_distillation as pearson_distillation
from trainers.distill.losses.vlr import vlr_weight as vlr_weight
from trainers.distill.losses.weighting import peak_probability as peak_probability
