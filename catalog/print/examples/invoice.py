"""The layout of an invoice: docs/print-formats.md explains each part."""

QUIET = "#5a6675"

invoice = {
    "title": "Invoice {number}",
    "author": "KernKoa",
    "size": "A4",
    "margins": (35, 20, 25, 20),  # top, right, bottom, left
    "placed": [
        {"image": "invoice.png", "at": (20, 14), "height": 12},
        {"text": "Invoice {number}", "at": (190, 16), "align": "right", "size": 16, "bold": True},
        {"line": (20, 30, 190, 30), "color": "#a4361f", "thickness": 1},
        {
            "text": "The example shop · Calle Mayor 1 · 28013 Madrid",
            "at": (20, 280),
            "size": 8,
            "color": QUIET,
        },
        {"text": "Page {page} of {pages}", "at": (190, 280), "align": "right", "size": 8, "color": QUIET},
        {
            "text": "Date: {date}<br/>Payable within 30 days.",
            "at": (130, 36),
            "width": 60,
            "align": "right",
            "color": QUIET,
            "pages": "first",
        },
    ],
    "body": [
        {"paragraph": "<b>{customer[name]}</b><br/>{customer[address]}", "width": 80, "below": 10},
        {
            "paragraph": "Dear {customer[name]}, thank you for your order. We charge you for the following items; "
            "the prices are in euros and do not include value-added tax, which is added below.",
            "width": 130,
            "below": 6,
        },
        {
            "table": "items",
            "columns": [
                {"title": "#", "value": "{line}", "width": 12, "align": "right", "color": QUIET},
                {"title": "Description", "value": "{text}", "width": 88},
                {"title": "Count", "value": "{count}", "width": 18, "align": "right"},
                {"title": "Price", "value": "{price:,.2f} €", "width": 24, "align": "right"},
                {"title": "Sum", "value": "{sum:,.2f} €", "width": 28, "align": "right"},
            ],
            "foot": [
                ["", "Net", "", "", "{net:,.2f} €"],
                ["", "Tax 21 %", "", "", "{tax:,.2f} €"],
                ["", "Total", "", "", "{total:,.2f} €"],
            ],
        },
        {"paragraph": "Muchas gracias. Bis bald. À bientôt. До свидания. Αντίο.", "italic": True, "color": QUIET},
    ],
}
