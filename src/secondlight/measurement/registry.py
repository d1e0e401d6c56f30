"""Plugins by name: those of this package and those that others bring."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from threading import RLock
from typing import Any

from lsst.pex.config import Config, FieldValidationError, Registry, RegistryField
from lsst.pex.config.registry import RegistryInstanceDict

from .plugin import Plugin, PluginConfig

__all__ = ["ENTRY_POINT_GROUP", "PluginField", "PluginRegistry", "plugin_registry", "register"]

#: Packages join by an entry point of this group, named as the plugin, that points to its class.
ENTRY_POINT_GROUP = "secondlight.measurement"


class PluginRegistry[P](Registry):
    """Mapping from plugin name to plugin class, for `lsst.pex.config.RegistryField`.

    Entry points are looked up when the registry is first read. One that cannot be loaded is left out of the
    mapping and told by `explain`, so that it hurts nobody who does not ask for it.

    Parameters
    ----------
    config
        Base of the plugins' configurations.
    group
        Group of the entry points.
    kind
        What the plugins are called in messages.
    """

    def __init__(
        self,
        config: type[Config] = PluginConfig,
        group: str = ENTRY_POINT_GROUP,
        kind: str = "measurement plugin",
    ) -> None:
        super().__init__(config)
        self._group = group
        self._kind = kind
        self._discovered = False
        self._lock = RLock()
        self._broken: dict[str, Exception] = {}

    def discover(self) -> None:
        """Load the plugins that other packages announce by entry points; does so once."""
        with self._lock:
            if self._discovered:
                return
            self._discovered = True
            for entry in entry_points(group=self._group):
                try:
                    target = entry.load()
                    # the module may have used the decorator, too
                    if entry.name not in self._dict:
                        self.register(entry.name, target)
                except Exception as error:
                    self._broken[entry.name] = error

    def explain(self, name: str) -> str:
        """Say why there is no plugin of a name.

        Parameters
        ----------
        name
            The name asked for.
        """
        if name in self._broken:
            error = self._broken[name]
            return f"{self._kind} {name!r} could not be loaded: {type(error).__name__}: {error}"
        return f"there is no {self._kind} {name!r}; known are {', '.join(sorted(self))}"

    def __getitem__(self, name: str) -> type[P]:
        self.discover()
        plugin: type[P] = self._dict[name]
        return plugin

    def __contains__(self, name: object) -> bool:
        self.discover()
        return name in self._dict

    def __iter__(self) -> Iterator[str]:
        self.discover()
        return iter(list(self._dict))

    def __deepcopy__(self, memo: dict[int, Any]) -> PluginRegistry[P]:
        """Return a registry with the same plugins: a configuration takes one when it is frozen."""
        self.discover()
        twin = copy.copy(self)
        # a lock cannot be copied
        twin._lock = RLock()
        twin._dict = dict(self._dict)
        return twin

    def __len__(self) -> int:
        self.discover()
        return len(self._dict)


class _PluginConfigs(RegistryInstanceDict):
    """The configurations of a `PluginField`, with an error that says which plugins there are."""

    def __getitem__(self, k: str, at: Any = None, label: str = "default") -> Config:
        if k not in self.types:
            raise FieldValidationError(self._field, self._config, self.registry.explain(k))
        config: Config = RegistryInstanceDict.__getitem__(self, k, at=at, label=label)  # type: ignore[call-arg]
        return config

    def __setitem__(self, k: str, value: Any, at: Any = None, label: str = "assignment") -> None:
        if k not in self.types:
            raise FieldValidationError(self._field, self._config, self.registry.explain(k))
        RegistryInstanceDict.__setitem__(self, k, value, at=at, label=label)  # type: ignore[call-arg]


class PluginField(RegistryField):
    """A configuration field that selects plugins and configures them, as the reference's field does::

    config.plugins.names |= ["base_Jacobian"]
    config.plugins["base_CircularApertureFlux"].radii = [3.0, 6.0]
    """

    instanceDictClass = _PluginConfigs


#: All plugins of this process.
plugin_registry: PluginRegistry[Plugin] = PluginRegistry()


def register[P: type[Plugin]](name: str) -> Callable[[P], P]:
    """Register a plugin class under a name; a class decorator.

    Parameters
    ----------
    name
        Name of the plugin, with which its columns begin.

    Raises
    ------
    RuntimeError
        Raised if the name is taken.
    """

    def decorate(plugin: P) -> P:
        plugin_registry.register(name, plugin)
        return plugin

    return decorate
