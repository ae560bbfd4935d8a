# python3 with_django.py URL FILE: an object per text of the JSON array in FILE, in a transaction of its own
import json
import sys
import uuid
from urllib.parse import urlsplit

import django
from django.conf import settings

url = urlsplit(sys.argv[1])
settings.configure(
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path[1:],
            "HOST": url.hostname,
            "PORT": url.port,
            "USER": url.username,
            "PASSWORD": url.password or "",
        }
    },
)
django.setup()

from django.db import models, transaction  # noqa: E402: once it is set up


class Message(models.Model):
    seq = models.BigAutoField(primary_key=True)
    id = models.UUIDField(default=uuid.uuid4)
    topic = models.TextField()
    data = models.TextField(null=True)
    content_type = models.TextField(default="application/json")
    headers = models.JSONField(default=dict)

    class Meta:
        app_label = "shop"
        managed = False
        db_table = "outbox"


for text in json.load(open(sys.argv[2], encoding="utf-8")):
    with transaction.atomic():
        message = Message.objects.create(topic="insert", data=text)
        assert message.seq > 0
