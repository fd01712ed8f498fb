from kernkoa import *


class index:
    """The site's own address: http://host/ is this file, this class, its method index."""

    def index(self):
        """Welcome."""
        return render_template("welcome.html", explorer="explorer" in app.view_functions)
