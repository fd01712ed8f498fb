"""Sample invoices. A real site reads them from a database: see catalog/model/message/message.py."""

CUSTOMERS = {
    1001: ("Peña & Ibáñez S.L.", "Calle del Año 7\n28004 Madrid\nEspaña"),
    1002: ("Łukasz Dvořák", "Žižkova 12\n130 00 Praha 3\nČesko"),
}
GOODS = [
    ("Piñata, hand-made, filled with <sweets> & toys", 24.5),
    ("Café molido, 1 kg", 12.9),
    ("Jalapeño sauce that is so hot that it needs a description of more than one line", 3.75),
    ("Paper lantern", 1.2),
]


class invoice:
    """Finds an invoice by its number."""

    def find(self, number):
        """Returns the data of an invoice, or None. 1001 has one page, 1002 has several."""
        if number not in CUSTOMERS:
            return None
        name, address = CUSTOMERS[number]
        lines = 4 if number == 1001 else 90
        items = [
            {"line": line, "text": text, "count": count, "price": price, "sum": count * price}
            for line in range(1, lines + 1)
            for (text, price), count in [(GOODS[line % len(GOODS)], 1 + line % 5)]
        ]
        net = sum(item["sum"] for item in items)
        return {
            "number": number,
            "date": "2026-03-14",
            "customer": {"name": name, "address": address},
            "items": items,
            "net": net,
            "tax": net * 0.21,
            "total": net * 1.21,
        }
