"""A PDF: a model provides the data, a print format the layout, pdfgen draws it."""

from kernkoa import *


class Invoice:
    def show(self, number: int) -> Response:
        """Return an invoice as a PDF: 1001 has one page, 1002 has several. It is also saved in /pdfs/."""
        data = load.model("invoice", "examples").find(number)
        if data is None:
            abort(404, f"There is no invoice {number}. Ask for 1001 or 1002.")
        draw = load.addon("pdfgen", "draw")
        name, folder = f"invoice-{number}.pdf", config.folder(config.pdfPath)
        pdf = draw(
            load.printFormat("invoice", "examples"),
            data,
            images=config.folder(config.imagePath),
            file=folder / name if os.access(folder, os.W_OK) else None,
        )
        response = Response(pdf, mimetype="application/pdf")
        response.headers["Content-Disposition"] = f'inline; filename="{name}"'
        return response
