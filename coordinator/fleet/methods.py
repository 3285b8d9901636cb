"""Methods, as gRPC names them."""


def service_of(method: str) -> str:
    """The full name of the service of a method: "nicfleet.v1.Fleet" of "/nicfleet.v1.Fleet/Report"."""
    return method.removeprefix("/").rpartition("/")[0]
