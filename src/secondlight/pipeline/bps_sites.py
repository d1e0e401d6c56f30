"""Sites of bps's Parsl plugin that the plugin does not have itself; needs the extra ``bps``."""

from __future__ import annotations

from typing import Any

from lsst.ctrl.bps.parsl.configuration import get_bps_config_value
from lsst.ctrl.bps.parsl.site import SiteConfig
from parsl.executors import HighThroughputExecutor
from parsl.executors.base import ParslExecutor
from parsl.providers import CondorProvider

__all__ = ["HTCondor"]


class HTCondor(SiteConfig):  # type: ignore[misc]
    """A pool that HTCondor shares out, whose slots see the same files as the submitting machine.

    Parameters
    ----------
    *args, **kwargs
        As of `SiteConfig`.

    Notes
    -----
    Values of the bps configuration, below ``site.<computeSite>``:

    - ``slots`` (`int`): most slots to hold at a time;
    - ``cores_per_slot`` (`int`), ``mem_per_slot`` (`int`, GB): what a slot must have; a job runs on each core;
    - ``walltime`` (`str`): how long a slot is held;
    - ``requirements`` (`str`): HTCondor's expression for machines that will do;
    - ``scheduler_options`` (`str`): lines for the submit file;
    - those of `SiteConfig` (``environment``, ``commandPrefix``, ``retries``, …).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # of what bps asks for a job, Parsl's executor knows the priority only
        super().__init__(*args, **{"resource_list": ["priority"], **kwargs})

    def get_executors(self) -> list[ParslExecutor]:
        """Return the one executor of this site."""
        cores = get_bps_config_value(self.site, "cores_per_slot", int, required=True)
        provider = CondorProvider(
            cores_per_slot=cores,
            mem_per_slot=float(get_bps_config_value(self.site, "mem_per_slot", int, required=True)),
            init_blocks=0,
            max_blocks=get_bps_config_value(self.site, "slots", int, required=True),
            walltime=get_bps_config_value(self.site, "walltime", str, required=True),
            requirements=get_bps_config_value(self.site, "requirements", str, ""),
            scheduler_options=get_bps_config_value(self.site, "scheduler_options", str, ""),
        )
        return [
            HighThroughputExecutor(
                "htcondor", provider=provider, max_workers_per_node=cores, address=self.get_address()
            )
        ]

    def select_executor(self, job: Any) -> str:
        """Return the label of the executor for a job."""
        return "htcondor"
