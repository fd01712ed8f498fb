from kernkoa import *


class index:
    """The home page: http://host/ calls the method index of this class."""

    def index(self) -> str:
        """Show the welcome page."""
        return render_template("welcome.html", pages=app.view_functions)
