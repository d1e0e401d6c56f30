"""Plugins by name, those of other packages included."""

from types import SimpleNamespace

import pytest
from lsst.pex.config import Config, FieldValidationError

from secondlight.measurement import Plugin, PluginField, plugin_registry, registry
from secondlight.tasks.measurement import SingleFrameMeasurementConfig


class Nothing(Plugin):
    """Declares and measures nothing."""

    def measure(self, batch):
        pass


def entry(name, load):
    return SimpleNamespace(name=name, load=load)


@pytest.fixture
def fresh(monkeypatch):
    """A registry that has not looked for entry points, of which there are a good one and one that cannot be loaded."""

    def broken():
        raise ImportError("no module named 'elsewhere'")

    def fake(*, group):
        assert group == "secondlight.measurement"
        return [entry("my_Good", lambda: Nothing), entry("my_Broken", broken)]

    monkeypatch.setattr(registry, "entry_points", fake)
    return registry.PluginRegistry()


def test_entry_points(fresh):
    assert "my_Good" in fresh
    assert fresh["my_Good"] is Nothing
    assert list(fresh) == ["my_Good"]
    assert len(fresh) == 1


def test_entry_point_and_decorator(fresh):
    """A module that uses both is registered once."""
    fresh.register("my_Good", Nothing)
    assert list(fresh) == ["my_Good"]


def test_broken_entry_point_hurts_only_who_asks(fresh):
    class C(Config):
        plugins = PluginField(doc="d", registry=fresh, multi=True, default=["my_Good"])

    config = C()
    assert list(config.plugins.names) == ["my_Good"]
    with pytest.raises(
        FieldValidationError,
        match="'my_Broken' could not be loaded: ImportError: no module named 'elsewhere'",
    ):
        config.plugins.names |= ["my_Broken"]


@pytest.mark.parametrize("ask", [lambda p: p["base_Nope"], lambda p: p.names.add("base_Nope")])
def test_unknown_plugin(ask):
    """The error names what there is."""
    with pytest.raises(
        FieldValidationError, match=r"no measurement plugin 'base_Nope'; known are .*base_SdssCentroid"
    ):
        ask(SingleFrameMeasurementConfig().plugins)
    with pytest.raises(FieldValidationError, match="base_Nope"):
        SingleFrameMeasurementConfig().plugins["base_Nope"] = Config()


def test_name_is_taken():
    with pytest.raises(RuntimeError, match="base_SdssCentroid"):
        registry.register("base_SdssCentroid")(Nothing)


def test_overrides_as_users_write_them(tmp_path):
    """Override files for the reference load unchanged; what is saved loads again."""
    config = SingleFrameMeasurementConfig()
    before = set(config.plugins.names)
    config.loadFromString(
        'config.plugins.names |= ["base_LocalWcs", "base_LocalPhotoCalib"]\n'
        'config.plugins["base_CircularApertureFlux"].radii = [3.0, 4.5]\n'
        'config.plugins["base_SdssCentroid"].binmax = 4\n'
        'config.plugins["base_PixelFlags"].masksFpAnywhere = ["SPIKE"]\n'
        "config.slots.calibFlux = None\n"
    )
    assert set(config.plugins.names) == before | {"base_LocalWcs", "base_LocalPhotoCalib"}
    assert list(config.plugins["base_CircularApertureFlux"].radii) == [3.0, 4.5]
    config.save(str(tmp_path / "c.py"))
    again = SingleFrameMeasurementConfig()
    again.load(str(tmp_path / "c.py"))
    assert again.plugins["base_SdssCentroid"].binmax == 4
    assert again == config


def test_all_plugins_have_what_the_task_needs():
    for name in plugin_registry:
        plugin = plugin_registry[name]
        assert issubclass(plugin, Plugin)
        assert plugin.__doc__
        assert plugin.ConfigClass().doMeasure is True
        assert plugin.order >= 0
