# python3 with_psycopg3.py URL FILE: sends each text of the JSON array in FILE, in a transaction of its own
import json
import sys

import psycopg

with psycopg.connect(sys.argv[1]) as connection:
    for text in json.load(open(sys.argv[2], encoding="utf-8")):
        with connection.transaction():
            connection.execute("INSERT INTO outbox (topic, data) VALUES (%s, %s)", ("insert", text))
            connection.execute("SELECT outbox_send(%s, %s)", ("call", text))
