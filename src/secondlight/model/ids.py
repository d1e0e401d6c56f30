"""Ids of sources, unique over a survey: release, visit and detector in the high bits, a counter in the low ones.

Spec 05 and 09.3. ``packed`` stands for {visit, detector} in ``max_bits`` bits, by one of two packers:

- ``observation``: ``detector + n_detectors * visit``;
- ``rubin``: detector, sequence number, day, controller and visit definition, unpacked from the decimal digits of the visit
  id, which have too many bits to be kept whole.

Then ``catalog_id = packed + release_id * 2**max_bits``, and the id of the n-th source is
``catalog_id << counter_bits | n``, n from 1. Packers that read the instrument from a Butler
(`lsst.pipe.base.ObservationDimensionPacker`) need a data id with records; these need only numbers, and give the same ids.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
from lsst.pex.config import Config, ConfigChoiceField, DictField, Field
from numpy.typing import NDArray

from secondlight.errors import ProcessingError, UsageError

__all__ = [
    "DetectorVisitIdGeneratorConfig",
    "IdFactory",
    "IdGenerator",
    "ObservationPackerConfig",
    "RubinPackerConfig",
]

#: Bits of a positive signed 64-bit integer.
_ID_BITS = 63

#: Decimal digits of the sequence number in a Rubin exposure id; the day before it has eight.
_SEQ_NUM = 10**5
_EXPOSURE_ID = 10**13

#: Controllers in the order of the thousands of years that they add to the day.
_CONTROLLERS = "OCHPQS"

#: Instruments whose visit ids the ``rubin`` packer takes apart.
_RUBIN_INSTRUMENTS = ("LSSTCam", "LSSTComCam", "LATISS")

#: ``n_observations`` and ``n_detectors`` by instrument, as their Butler records say.
_INSTRUMENT_SIZES = {"HSC": (21474800, 200)}

#: The same for an instrument that is not known. With 64 releases this leaves 15 bits, 32,767 sources a catalogue.
_DEFAULT_SIZES = (2**34, 256)


class ObservationPackerConfig(Config):
    """Sizes for the ``observation`` packer."""

    n_detectors = Field[int](
        doc="Number of detectors: one more than the largest detector id. None: as the instrument is known to have.",
        default=None,
        optional=True,
    )
    n_observations = Field[int](
        doc="Number of visits: one more than the largest visit id. None: as the instrument is known to have.",
        default=None,
        optional=True,
    )


def _positive(value: int) -> bool:
    return value > 0


class RubinPackerConfig(Config):
    """Sizes for the ``rubin`` packer."""

    controllers: Any = DictField(
        doc="Number of each controller code.", keytype=str, itemtype=int, default={"O": 0}
    )
    n_controllers = Field[int](doc="Number of controllers to leave room for.", default=1, check=_positive)
    n_visit_definitions = Field[int](
        doc="Number of visit definitions that one exposure may be part of.", default=2, check=_positive
    )
    n_days = Field[int](doc="Number of days, from day_obs_begin.", default=16384, check=_positive)
    n_seq_nums = Field[int](doc="Number of sequence numbers, from 0.", default=32768, check=_positive)
    n_detectors = Field[int](doc="Number of detectors, from 0.", default=256, check=_positive)
    day_obs_begin = Field[int](doc="First day (YYYYMMDD).", default=20100101)


class DetectorVisitIdGeneratorConfig(Config):
    """How the ids of one {visit, detector}'s sources are made."""

    release_id = Field[int](
        doc="Identifier of a data release, part of every id; 0 for none.", default=0, check=lambda v: v >= 0
    )
    n_releases = Field[int](
        doc="Number of release ids, from 0, to leave room for; 1 leaves none.", default=64, check=_positive
    )
    packer = ConfigChoiceField(
        doc="How visit and detector become one integer; None: as is usual for the instrument.",
        typemap={"observation": ObservationPackerConfig, "rubin": RubinPackerConfig},
        default=None,
        optional=True,
    )

    def make(
        self,
        *,
        visit: int,
        detector: int,
        instrument: str = "",
        n_observations: int | None = None,
        n_detectors: int | None = None,
    ) -> IdGenerator:
        """Make the generator for one {visit, detector}.

        Parameters
        ----------
        visit, detector
            Their ids.
        instrument
            Name of the instrument; decides what the configuration leaves open.
        n_observations, n_detectors
            Sizes from the instrument's record in a Butler (``visit_max``, ``detector_max``), for the ``observation`` packer;
            configured ones go before.

        Raises
        ------
        UsageError
            Raised if visit, detector or release do not fit what is configured.
        """
        if self.release_id >= self.n_releases:
            raise UsageError(
                f"id_generator.release_id {self.release_id} is not below n_releases {self.n_releases}"
            )
        name = self.packer.name
        if name is None:
            # a simulated visit may carry a Rubin instrument's name and an id of its own making
            rubin = instrument in _RUBIN_INSTRUMENTS and _is_rubin_visit(visit)
            name = "rubin" if rubin else "observation"
        if name == "rubin":
            packed, max_bits = _pack_rubin(self.packer["rubin"], visit, detector)
        else:
            known = _INSTRUMENT_SIZES.get(instrument, _DEFAULT_SIZES)
            config = self.packer["observation"]
            packed, max_bits = _pack_observation(
                visit,
                detector,
                config.n_observations or n_observations or known[0],
                config.n_detectors or n_detectors or known[1],
            )
        counter_bits = _ID_BITS - (self.n_releases - 1).bit_length() - max_bits
        if counter_bits < 1:
            raise UsageError(
                f"{max_bits} bits for visit and detector and {self.n_releases} releases leave no room for sources "
                f"in an id of {_ID_BITS} bits"
            )
        return IdGenerator(packed + (self.release_id << max_bits), counter_bits)


def _check_below(what: str, value: int, size: int, field: str) -> None:
    if not 0 <= value < size:
        raise UsageError(f"{what} {value} is not in 0..{size - 1}: set id_generator.packer{field}")


def _pack_observation(visit: int, detector: int, n_observations: int, n_detectors: int) -> tuple[int, int]:
    """Return the packed id and the number of bits that the largest one takes."""
    _check_below("detector", detector, n_detectors, "['observation'].n_detectors")
    _check_below("visit", visit, n_observations, "['observation'].n_observations")
    return detector + n_detectors * visit, (n_observations * n_detectors - 1).bit_length()


def _ordinal(day_obs: int) -> int:
    """Return the number of the day YYYYMMDD."""
    try:
        return datetime.date(day_obs // 10000, day_obs // 100 % 100, day_obs % 100).toordinal()
    except ValueError as error:
        raise UsageError(f"{day_obs} is not a day YYYYMMDD: {error}") from error


def _is_rubin_visit(visit: int) -> bool:
    """Tell whether a visit id is made of controller, day and sequence number."""
    prefix, exposure = divmod(visit, _EXPOSURE_ID)
    day = exposure // _SEQ_NUM % 10_000_000 + 20_000_000
    try:
        return prefix in (0, 9) and exposure >= 2 * 10**12 and _ordinal(day) > 0
    except UsageError:
        return False


def _pack_rubin(config: Any, visit: int, detector: int) -> tuple[int, int]:
    """Return the packed id and the number of bits that the largest one takes."""
    # a visit of one exposure where others have several is marked by a 9 before the exposure's id
    prefix, exposure = divmod(visit, _EXPOSURE_ID)
    if prefix not in (0, 9):
        raise UsageError(f"visit {visit} is not a Rubin visit id: it begins with {prefix} before 13 digits")
    day_obs, seq_num = divmod(exposure, _SEQ_NUM)
    index = day_obs // 10_000_000 - 2  # thousands of years after 2000
    if not 0 <= index < len(_CONTROLLERS):
        raise UsageError(f"visit {visit} is not a Rubin visit id: {day_obs} encodes no day and controller")
    code = _CONTROLLERS[index]
    if code not in config.controllers:
        raise UsageError(
            f"visit {visit} is of controller {code}: id_generator.packer['rubin'].controllers has only "
            f"{', '.join(config.controllers)}"
        )
    controller = config.controllers[code]
    day = _ordinal(day_obs - index * 10_000_000) - _ordinal(config.day_obs_begin)
    for what, value, field in (
        ("detector", detector, "n_detectors"),
        ("sequence number", seq_num, "n_seq_nums"),
        ("day", day, "n_days"),
        ("controller", controller, "n_controllers"),
        ("visit definition", prefix // 9, "n_visit_definitions"),
    ):
        _check_below(what, value, getattr(config, field), f"['rubin'].{field}")
    packed = prefix // 9
    packed = packed * config.n_controllers + controller
    packed = packed * config.n_days + day
    packed = packed * config.n_seq_nums + seq_num
    packed = packed * config.n_detectors + detector
    size = (
        config.n_visit_definitions
        * config.n_controllers
        * config.n_days
        * config.n_seq_nums
        * config.n_detectors
    )
    return packed, (size - 1).bit_length()


@dataclass(frozen=True, slots=True)
class IdGenerator:
    """Ids of the sources of one catalogue.

    Parameters
    ----------
    catalog_id
        Id of the catalogue, also the seed of what is random in it.
    counter_bits
        Number of low bits that count the sources.
    """

    catalog_id: int = 0
    counter_bits: int = _ID_BITS

    def make_factory(self) -> IdFactory:
        """Return a new counter, which begins at 1."""
        return IdFactory(self.catalog_id, self.counter_bits)


class IdFactory:
    """Hands out the ids of one catalogue, one after the other.

    Parameters
    ----------
    catalog_id, counter_bits
        As for `IdGenerator`.
    """

    def __init__(self, catalog_id: int = 0, counter_bits: int = _ID_BITS) -> None:
        self._first = catalog_id << counter_bits
        self._size = 1 << counter_bits
        self._used = 0

    def take(self, n: int) -> NDArray[np.int64]:
        """Return the next ``n`` ids.

        Parameters
        ----------
        n
            How many.

        Raises
        ------
        ProcessingError
            Raised if the counter would run into the bits of the catalogue.
        """
        if self._used + n >= self._size:
            raise ProcessingError(
                f"{self._used + n} sources do not fit the {self._size - 1} ids of this catalogue: "
                "leave more bits for the counter (id_generator.n_releases, id_generator.packer)"
            )
        ids = self._first + 1 + self._used + np.arange(n, dtype=np.int64)
        self._used += n
        return ids
