# python3 with_psycopg2.py URL FILE: sends each text of the JSON array in FILE, in a transaction of its own
import json
import sys

import psycopg2

connection = psycopg2.connect(sys.argv[1])
for text in json.load(open(sys.argv[2], encoding="utf-8")):
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO outbox (topic, data) VALUES (%s, %s)", ("insert", text))
        cursor.execute("SELECT outbox_send(%s, %s)", ("call", text))
