"""The settings of this site. A fresh copy runs without changes.

An environment variable overrides a setting: KERNKOA_ and the name in capitals, so redisUrl is
KERNKOA_REDIS_URL. You can add settings of your own: config.<name>.
docs/settings.md explains all settings.
"""

name = "kernkoa"

# the path of the site: "" for http://host/, "/shop" for http://host/shop/
base = ""
# the site's public URL, ending in a slash; "" takes it from each request
url = ""
# the path that / shows; "" is catalog/controller/index.py
home = ""

# "" generates a key and keeps it in var/secret_key, readable by its owner only
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
# the addons that are switched on; "auth" adds users and logins. limits works in production only
addons = ["agents", "limits"]

pdfPath = "pdfs"
imagePath = "images"

# the development server: python kernkoa.py
host = "127.0.0.1"
port = 5000
flaskDebug = True  # detailed error pages, for this machine only

# "" starts a Valkey server in development; else redis://, rediss://, unix:// or sentinel://
redisUrl = ""
