"""How a service that moto lacks refuses a request."""


class Refused(Exception):
    """The service's error kind, with an HTTP status such as "404 Not Found"."""

    def __init__(self, status, kind, message):
        super().__init__(message)
        self.status, self.kind = status, kind
