from html import escape

from kernkoa import *


class fastHelloClass:
    """The same as fasthelloworld.py, in a folder: the folder is part of the URL."""

    def fastHelloWorld(self) -> str:
        """Say hello."""
        return "hello world!!."

    def fastHelloWorldWithParameters(self, params=None):
        """Show the parameters of the request."""
        if params == None:
            return "Hello World"
        text = ""
        for key, value in params.items():
            text += escape(key) + " = " + escape(value) + "<br>"
        return text
