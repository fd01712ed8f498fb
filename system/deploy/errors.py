"""The error that stops a deployment; its message says what to do next."""


class DeployError(Exception):
    """A step failed or would do harm; all changes were undone."""
