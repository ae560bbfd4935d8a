# python3 with_django.py URL FILE: the lines of FILE, in hex: bytes, then texts, an object each, in a transaction of its own
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

from django.db import DataError, models, transaction  # noqa: E402: once it is set up


class Message(models.Model):
    seq = models.BigAutoField(primary_key=True)
    id = models.UUIDField(default=uuid.uuid4)
    topic = models.TextField()
    data = models.TextField(null=True)
    payload = models.BinaryField(null=True)
    content_type = models.TextField(default="application/json")
    headers = models.JSONField(default=dict)

    class Meta:
        app_label = "shop"
        managed = False
        db_table = "outbox"


payload, *texts = (bytes.fromhex(line) for line in open(sys.argv[2]))
messages = [Message(topic="insert", data=text) for text in map(bytes.decode, texts)]
for message in [*messages, Message(topic="bytes", payload=payload)]:
    with transaction.atomic():
        message.save()
        assert message.seq > 0
try:
    Message.objects.create(topic="nul", data="a\0b")
except (ValueError, DataError) as error:  # psycopg2, psycopg 3
    print("refused:", error)
