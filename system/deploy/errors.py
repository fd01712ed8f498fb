"""What stops a deployment. The message says what to do next."""


class DeployError(Exception):
    """A step failed, or would do harm; nothing is left half done."""
