from html import escape

from kernkoa import *


class urlclass:
    """A library seven folders deep; there is no limit."""

    def urlmethod1(self):
        """Return the path of this method."""
        return "folder1/folder2/folder3/folder4/folder5/folder6/folder7/urllibrary/urlclass/urlmethod1"

    def urlmethod2(self, params=None):
        """Show the parameters, one per line."""
        if params == None:
            return "Hello World"
        lines = [escape(key) + " = " + escape(value) + "<br>" for key, value in params.items()]
        return "".join(lines)
