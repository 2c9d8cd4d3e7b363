"""The three ways in which the extension changes moto, and the state that it adds."""

from functools import wraps

# State that moto has no place for, by kind, account and region. A reset of moto clears it.
_STORE = {}
_ON_RESET = []


def store(kind, account="", region=""):
    """The dictionary for a kind of resource in an account and region."""
    return _STORE.setdefault((kind, account, region), {})


def on_reset(action):
    """Call action whenever moto is reset."""
    _ON_RESET.append(action)
    return action


def reset():
    """Forget everything that was added since the start."""
    _STORE.clear()
    for action in _ON_RESET:
        action()


def add(cls):
    """Decorator: make the function a method of cls, for calls that moto lacks."""

    def decorate(function):
        setattr(cls, function.__name__, function)
        return function

    return decorate


def around(cls, name):
    """Decorator: call the function in place of a method of cls, with the original as first argument."""
    original = getattr(cls, name)

    def decorate(function):
        @wraps(original)
        def method(*args, **kwargs):
            return function(original, *args, **kwargs)

        setattr(cls, name, method)
        return function

    return decorate


def with_param(response, getter, overrides, call):
    """Call call() while response's parameter getter answers overrides for the names in it."""
    get = getattr(response, getter)

    def patched(name, *args, **kwargs):
        return overrides[name] if name in overrides else get(name, *args, **kwargs)

    setattr(response, getter, patched)
    try:
        return call()
    finally:
        response.__dict__.pop(getter, None)
