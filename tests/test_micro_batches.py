"""The parts of a batch: all of its images, once each, in order.

Of one replica; tests/test_replicas.py holds two to the same results.
"""

import numpy as np
import pytest
import tensorflow as tf
from small_network import small_batch, small_config

from deepgbass.errors import UserError
from deepgbass.losses import IgnoreCrossentropy
from deepgbass.training.micro_batches import MicroBatches, check_batch


def test_a_batch_that_does_not_divide_is_refused():
    config = small_config(accumulate=4)
    check_batch(IgnoreCrossentropy(), config, 1)
    with pytest.raises(UserError, match="a multiple of 8: 2 devices"):
        check_batch(IgnoreCrossentropy(), config, 2)


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_micro_batches_together_are_the_batch(accumulate):
    batch = [tf.constant(x) for x in small_batch()]
    config = small_config(accumulate=accumulate)
    parts = MicroBatches(tf.distribute.get_strategy(), config)
    taken = [parts.take(*batch, i) for i in range(accumulate)]
    for whole, shares in zip(batch, zip(*taken, strict=True), strict=True):
        np.testing.assert_array_equal(tf.concat(shares, 0), whole)
    firsts = [int(parts.first_image(i)) for i in range(accumulate)]
    assert firsts == list(range(0, 4, 4 // accumulate))
