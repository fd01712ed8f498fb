"""The settings of this site. A fresh copy runs with no edit.

Each can be overridden by an environment variable: KERNKOA_ and the name in capitals, so redisUrl is
KERNKOA_REDIS_URL. What you add here under a name of your own is there too, as config.<name>.
docs/settings.md explains every one.
"""

name = "kernkoa"

# where the site lives: "" for http://host/, "/shop" for http://host/shop/
base = ""
# the site's public URL, ending in a slash; "" makes it of each request
url = ""
# the path that / answers; "" is catalog/controller/index.py
home = ""

# "" makes a key once and keeps it in var/secret_key, readable by its owner only
secretKey = ""
session_timeout = 720  # minutes

databases = {
    "maindb": {"driver": "sqlite", "host": "var/main.db"},
}
defaultDatabase = "maindb"

# the folders of the catalogue, relative to this file
libs = {
    "controller": "catalog/controller",
    "model": "catalog/model",
    "print": "catalog/print",
    "language": "catalog/language",
    "addon": "system/addons",
}
# the files of system/addons that are switched on: ["auth"]
addons: list[str] = []

pdfPath = "pdfs"
imagePath = "images"

# the development server: python kernkoa.py
host = "127.0.0.1"
port = 5000
flaskDebug = True  # pages that explain an error, to this machine only

# "" starts a Valkey server of its own in development; redis://, rediss://, unix:// or sentinel://
redisUrl = ""
