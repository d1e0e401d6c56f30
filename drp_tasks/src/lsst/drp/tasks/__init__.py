"""A namespace shared with the LSST Science Pipelines, whose packages come before those of this distribution."""

import pkgutil

_ours = list(__path__)
__path__ = pkgutil.extend_path(__path__, __name__)
__path__ = [p for p in __path__ if p not in _ours] + _ours
