"""What every model of ours that is trained shares."""

import keras


class TrainedModel(keras.Model):
    """A `keras.Model` whose optimizer has its variables before TensorFlow traces the training step.

    Keras creates them while it traces, and TensorFlow traces once more whatever created a variable: the start of
    training then takes twice as long.
    """

    def make_train_function(self, force=False):
        if self.built and self.optimizer is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)
