from html import escape

from kernkoa import *


class urlclass:
    """Seven folders deep: as many as you like."""

    def urlmethod1(self):
        """Say where this is."""
        return "folder1/folder2/folder3/folder4/folder5/folder6/folder7/urllibrary/urlclass/urlmethod1"

    def urlmethod2(self, params=None):
        """Show the parameters, each in a line."""
        if params == None:
            return "Hello World"
        lines = [escape(key) + " = " + escape(value) + "<br>" for key, value in params.items()]
        return "".join(lines)
