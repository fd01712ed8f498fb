"""A document on paper: a model gives the data, a print format the look, pdfgen draws them."""

from kernkoa import *


class Invoice:
    def show(self, number: int):
        """The invoice `number` as a PDF: 1001 has one page, 1002 has many. It stays under /pdfs/ too."""
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
