# The GFL of the unit tests with a second convolution before each output, so that CrossKD finds a place between the two.
_base_ = "../unit/trainers/tiny_gfl.py"
model = {"bbox_head": {"stacked_convs": 2}}
