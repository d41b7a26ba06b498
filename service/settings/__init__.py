"""Holds what an operator can set, and reads it; all others import it from here."""

from anabranch.service.settings.errors import BadSettings as BadSettings
from anabranch.service.settings.fields import Settings as Settings
from anabranch.service.settings.fields import is_loopback as is_loopback
from anabranch.service.settings.pools import PREFIX as PREFIX
from anabranch.service.settings.pools import PoolDeclaration as PoolDeclaration
from anabranch.service.settings.pools import Price as Price
from anabranch.service.settings.reading import READ_BY_WORKERS as READ_BY_WORKERS
from anabranch.service.settings.reading import read_settings as read_settings
