"""A message board with model, view and controller; it works with and without JavaScript."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from kernkoa import *

LANGUAGES = {"english": "English", "spanish": "Español"}
MOST = {"nickname": 100, "message": 1000}  # characters


def clean(text):
    """Normalise a text: forms send line ends as two characters, and databases do not store NUL."""
    return text.replace("\r\n", "\n").replace("\0", "\ufffd").strip() if isinstance(text, str) else text


def text_of(name):
    """The type of a text field; the 422 and the explorer show its limits."""
    return Annotated[str, BeforeValidator(clean), Field(min_length=1, max_length=MOST[name], pattern=r"\S")]


class message:
    @allow("GET", "POST")
    def index(self, page: int = 1, search: str = "", language: str = ""):
        """Show a page of messages, the newest first. `search` filters them, `language` is kept in the session."""
        if language in LANGUAGES:
            session["language"] = language
        return self._board(page, clean(search))

    @allow("POST", form="index")
    def insert(self, nickname: text_of("nickname"), message: text_of("message")):
        """Post a message. A script gets JSON, a form is redirected to the board, or shown again after a 422."""
        entry = load.model("message", "message").insert(nickname, message)
        if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
            return redirect("message/message/message/index", 303)
        return entry, 201

    def _board(self, page, search):
        model = load.model("message", "message")
        total = model.count(search)
        pages = max(1, -(-total // model.pageSize))
        page = min(max(page, 1), pages)
        language = self._language()
        response = make_response(
            render_template(
                "message/board.html",
                text=load.language(language),
                language=language,
                languages=LANGUAGES,
                messages=model.page(page, search),
                total=total,
                page=page,
                pages=pages,
                search=search,
                most=MOST,
            )
        )
        response.vary.update(["Accept-Language", "Cookie"])
        return response

    def _language(self):
        codes = {load.language(name)["code"]: name for name in LANGUAGES}
        return session.get("language") or codes[request.accept_languages.best_match(codes, "en")]
