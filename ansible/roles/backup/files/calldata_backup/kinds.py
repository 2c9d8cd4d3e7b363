"""The kinds of parts: how each is saved, and how it comes back."""

from .files import Files
from .postgresql import PostgreSQL
from .wazo import Wazo

KINDS = {"files": Files, "postgresql": PostgreSQL, "wazo": Wazo}


def kind_of(part, settings):
    return KINDS[part["kind"]](part, settings)
