"""A message board: model, view and controller, with and without scripts in the browser."""

from kernkoa import *
from system.core.errors import InvalidParameters

LANGUAGES = {"english": "English", "spanish": "Español"}


class message:
    def index(self, params=None):
        """The board: a page of messages, the newest first; `search` finds some, `language` is remembered."""
        params = params or {}
        language = str(params.get("language", ""))
        if language in LANGUAGES:
            session["language"] = language
        return self._board(page=str(params.get("page", "1")), search=str(params.get("search", "")))

    @allow("POST")
    def insert(self, params):
        """Post a message: JSON for a script, the board again for a form. 422 names the fields at fault."""
        model = load.model("message", "message")
        typed = {name: self._clean(params.get(name, "")) for name in model.most}
        faults = model.faults(typed)
        form = request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
        if faults and form:
            return self._board(typed=typed, faults={fault["name"] for fault in faults}), 422
        if faults:
            raise InvalidParameters(faults)
        entry = model.insert(**typed)
        if form:
            return redirect(url_for("dispatch", path="message/message/message/index"), 303)
        return entry, 201

    def _board(self, page="1", search="", typed=None, faults=()):
        model = load.model("message", "message")
        total = model.count(search)
        pages = max(1, -(-total // model.pageSize))
        number = min(max(int(page), 1), pages) if page.isdecimal() else 1
        language = self._language()
        response = make_response(
            render_template(
                "message/board.html",
                text=load.language(language),
                language=language,
                languages=LANGUAGES,
                messages=model.page(number, search),
                total=total,
                page=number,
                pages=pages,
                search=search,
                typed=typed or {"nickname": "", "message": ""},
                faults=dict.fromkeys(faults, True),
                most=model.most,
            )
        )
        response.vary.update(["Accept-Language", "Cookie"])
        return response

    def _language(self):
        codes = {load.language(name)["code"]: name for name in LANGUAGES}
        return session.get("language") or codes[request.accept_languages.best_match(codes, "en")]

    def _clean(self, text):
        """A text as it was typed: forms send line ends as two characters, and no database keeps a NUL."""
        return str(text).replace("\r\n", "\n").replace("\0", "").strip()
