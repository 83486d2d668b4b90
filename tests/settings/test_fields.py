"""Settings: the check, its error and its words in the help come from one place."""

import dataclasses
import math

import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.settings.fields import GROUPS, MODEL, RUN, Settings, about, setting, setting_like, shown_value
from tinybert_tf.settings.stages import STAGES


@pytest.mark.parametrize(
    "bounds, right, wrong, expected",
    [
        ({"at_least": 1}, [1, 1000], [0, -1], "1 or more"),
        ({"at_least": 0}, [0.0, 3.5], [-0.1, math.inf, math.nan], "0 or more"),
        ({"above": 0}, [1e-9, 7], [0, math.inf, math.nan], "a number above 0"),
        ({"above": 0, "below": 1}, [0.5], [0, 1], "a number above 0 and below 1"),
        ({"above": 0, "at_most": 1}, [0.5, 1], [0, 1.1], "a number above 0, up to 1"),
        ({"at_least": 0, "below": 1}, [0, 0.9], [-0.1, 1], "a number from 0 to below 1"),
        ({"at_least": 0, "at_most": 0.5}, [0, 0.5], [-1, 0.6], "a number from 0 to 0.5"),
        ({"at_least": 0}, [(0.0,), (1, 2.5)], [(), (-1.0,), (1, -1), (math.nan,)], "each 0 or more"),
        ({"above": 0, "at_most": 1}, [(0.5, 1)], [(0, 1), (1.1,)], "each above 0, up to 1"),
        ({"choices": ("a", "b")}, ["a"], ["", "c"], "one of a, b"),
        ({"choices": {"a": "first", "b": "last"}}, ["b"], ["first"], "one of a, b"),
        ({"choices": ("a", "b")}, [("a",), ("b", "a")], [(), ("c",), ("a", "a")], "some of a, b, each once"),
    ],
)
def test_what_does_not_fit_is_refused(bounds, right, wrong, expected):
    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        value: object = setting(right[0], "A value.", RUN, **bounds)

    for value in right:
        assert Config(value).value == value
    for value in wrong:
        with pytest.raises(InputError) as error:
            Config(value)
        got = (shown_value(value) or "nothing") if isinstance(value, tuple) else value
        assert str(error.value) == f"value: got {got}; expected {expected}"


def test_a_default_that_stands_for_something_need_not_fit():
    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        length: int = setting(0, "Length.", RUN, default_means="the task's", at_least=8)

    assert Config().length == Config(0).length == 0
    with pytest.raises(InputError, match="length: got 7; expected 8 or more"):
        Config(7)


def test_a_setting_like_another_keeps_what_does_not_change():
    @dataclasses.dataclass(frozen=True)
    class Config(Settings):
        length: int = setting(16, "Length.", RUN, at_least=8)

    @dataclasses.dataclass(frozen=True)
    class Other(Config):
        length: int = setting_like(Config, "length", default=32, group=MODEL)

    assert Other().length == 32
    assert about(Other.__dataclass_fields__["length"]) == dataclasses.replace(
        about(Config.__dataclass_fields__["length"]), group=MODEL
    )


@pytest.mark.parametrize(
    "value, shown",
    [
        (5e-4, "5e-4"),
        (1.5e-5, "1.5e-5"),
        (0.0, "0.0"),
        (0.01, "0.01"),
        (True, "true"),
        ((1.0, 2.5), "1.0,2.5"),
        ("", ""),
    ],
)
def test_values_are_shown_as_one_types_them(value, shown):
    assert shown_value(value) == shown


def test_a_name_has_one_type_in_every_stage():
    types = {(field.name, field.type) for config in STAGES.values() for field in dataclasses.fields(config)}
    assert len(types) == len({name for name, _ in types})


@pytest.mark.parametrize("config", STAGES.values())
class TestEveryStage:
    def test_its_defaults_fit(self, config):
        config()

    def test_each_flag_is_in_one_group_and_groups_are_in_order(self, config):
        groups = list(config.grouped())
        names = [field.name for _, fields in groups for field in fields]
        assert sorted(names) == sorted(field.name for field in dataclasses.fields(config))
        assert [group for group, _ in groups] == [group for group in GROUPS if group in dict(groups)]

    def test_old_names_are_gone_and_new_ones_there(self, config):
        names = {field.name for field in dataclasses.fields(config)}
        assert set(config.RENAMED.values()) <= names and not set(config.RENAMED) & names
        assert "RENAMED" not in names

    def test_each_help_is_whole_sentences(self, config):
        for field in dataclasses.fields(config):
            text = about(field).help
            assert text[0].isupper() and text.endswith("."), text
            assert "update" not in text and "a student layer" not in text, text
