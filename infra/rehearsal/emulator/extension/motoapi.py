"""moto's own API: a reset clears the extension's state, too; data.json leaves out what is not JSON."""

import json

from moto.core.model_instances import model_data as tracked
from moto.moto_api._internal.responses import MotoAPIResponse

from .hooks import add, around, reset


def _plain(instance):
    """The attributes that can be written as JSON. moto fails on the first that cannot."""
    row = {}
    for name in dir(instance):
        if name.startswith("_"):
            continue
        try:
            value = getattr(instance, name)
            json.dumps(value)
        except Exception:  # a property may raise anything
            continue
        row[name] = value
    return row


@add(MotoAPIResponse)
def model_data(self, request, full_url, headers):
    out = {
        service: {name: [_plain(i) for i in model.instances_tracked] for name, model in sorted(models.items())}
        for service, models in sorted(tracked.items())
    }
    return 200, {"Content-Type": "application/javascript"}, json.dumps(out)


@around(MotoAPIResponse, "reset_response")
def reset_response(original, self, *args, **kwargs):
    reset()
    return original(self, *args, **kwargs)
