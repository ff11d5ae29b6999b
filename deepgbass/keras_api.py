"""The one place that imports Keras.

tf_keras (Keras 2) because quantisation-aware training with
tensorflow-model-optimization accepts nothing newer. `tf.keras` is never used:
importing tensorflow-model-optimization silently changes what it means.
"""

import tf_keras as keras

__all__ = ["keras"]
