"""Keep exponentials within heads from overflowing."""

import math

LONGEST = 8192.0  # pixels, or strides: no image is that large
LARGEST_EXPONENT = math.log(LONGEST)
# exp(x) for larger x comes near infinity only above 88, but the gradient of an infinite output that no loss has asked for
# is 0 * infinity = NaN: one background point would ruin the weights.
