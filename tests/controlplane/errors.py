"""What can go wrong around the control plane, told to a person."""


class ControlPlaneError(Exception):
    """A tool could not be built, a component did not start, or kubectl refused; the message says which and why."""
