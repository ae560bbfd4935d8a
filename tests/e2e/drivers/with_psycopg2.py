# python3 with_psycopg2.py URL FILE: the lines of FILE, in hex: bytes, then texts, each in a transaction of its own
import sys

import psycopg2

payload, *texts = (bytes.fromhex(line) for line in open(sys.argv[2]))
connection = psycopg2.connect(sys.argv[1])
for text in map(bytes.decode, texts):
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO outbox (topic, data) VALUES (%s, %s)", ("insert", text))
        cursor.execute("SELECT outbox_send(%s, %s)", ("call", text))
with connection, connection.cursor() as cursor:
    cursor.execute("INSERT INTO outbox (topic, payload) VALUES (%s, %s)", ("bytes", payload))
try:
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO outbox (topic, data) VALUES (%s, %s)", ("nul", "a\0b"))
except (ValueError, psycopg2.Error) as error:
    print("refused:", error)
