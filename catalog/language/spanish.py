"""Los textos de los ejemplos en español."""

spanish = {
    "code": "es",
    "name": "Español",
    "title": "Tablón de mensajes",
    "nickname": "Apodo",
    "message": "Mensaje",
    "send": "Publicar",
    "fault": "Escribe de 1 a {most} caracteres.",
    "search": "Buscar por apodo o texto",
    "find": "Buscar",
    "total": "Mensajes:",
    "found": "Encontrados:",
    "pages": "Páginas",
    "page": "Página {page} de {pages}",
    "newer": "← Más nuevos",
    "older": "Más antiguos →",
}
