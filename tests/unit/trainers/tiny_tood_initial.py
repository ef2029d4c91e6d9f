# A TOOD that codes boxes by anchors, in the epochs in which ATSS assigns.
_base_ = "./tiny_tood.py"
model = {"bbox_head": {"anchor_type": "anchor_based"}, "train_cfg": {"initial_epoch": 4}}
