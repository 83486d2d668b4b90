"""Settings of stages whose work Apache Beam can hand out to workers."""

import dataclasses

from tinybert_tf.settings.fields import RUN, Settings, require, setting

NUM_SHARDS = 16


@dataclasses.dataclass(frozen=True)
class OnRunner(Settings):
    """Settings of every stage that Apache Beam can run."""

    runner: str = setting(
        "",
        "Runner of Apache Beam that hands out the work: DirectRunner on this machine, or DataflowRunner, FlinkRunner "
        "or SparkRunner; needs the extra [scale].",
        RUN,
        default_means="none: this process does all of the work",
    )
    pipeline_options: str = setting(
        "",
        "Further options of the runner, in one string.",
        RUN,
    )
    num_shards: int = setting(NUM_SHARDS, "Parts of the output, each of which one worker writes.", RUN, at_least=1)

    def __post_init__(self):
        super().__post_init__()
        require(self, "pipeline_options", bool(self.runner) or not self.pipeline_options, "a --runner that takes them")
        usual = type(self).__dataclass_fields__["num_shards"].default
        require(self, "num_shards", bool(self.runner) or self.num_shards == usual, "a --runner that makes them")
