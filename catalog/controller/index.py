from kernkoa import *


class index:
    """The site's own address: http://host/ is this file, this class, its method index."""

    def index(self):
        """Welcome."""
        explorer = any(rule.rule == "/_koa/" for rule in app.url_map.iter_rules())
        return render_template("welcome.html", explorer=explorer)
