"""A controller in the style of 2018, without types. The explorer has a form for it too."""

from html import escape

from kernkoa import *


class Guestbook:
    """The entries of the guests."""

    def greet(self, params=None):
        """Greet a guest by name."""
        if params == None:
            return "<h1>Hello, guest</h1>"
        name = escape(str(params["name"]))
        return "<h1>Hello, " + name + "</h1>"

    def page(self, params):
        """Return a page of the book; `size` is the number of lines, 10 by default."""
        try:
            number = int(params["number"])
            size = int(params.get("size", 10))
        except (TypeError, ValueError):
            abort(400, "number and size are whole numbers")
        if not (0 < number < 10000 and 0 < size < 1000):
            abort(400, "number and size are too small or too large")
        first = (number - 1) * size + 1
        return {"page": number, "lines": ["line " + str(line) for line in range(first, first + size)]}

    def sign(self, params):
        """Sign the book, with an optional photo."""
        answer = {"guest": params["guest"], "text": params.get("text", "I was here")}
        if "photo" in params.files:
            answer["photo"] = params.files["photo"].filename
        return answer
