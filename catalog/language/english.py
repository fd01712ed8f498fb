"""The texts of the examples in English."""

english = {
    "code": "en",
    "name": "English",
    "title": "Message board",
    "nickname": "Nickname",
    "message": "Message",
    "send": "Post",
    "fault": "Write 1 to {most:,} characters.",
    "search": "Search by nickname or text",
    "find": "Search",
    "total": "Messages:",
    "found": "Found:",
    "pages": "Pages",
    "page": "Page {page} of {pages}",
    "newer": "← Newer",
    "older": "Older →",
}
