# python3 with_psycopg3.py URL FILE: the lines of FILE, in hex: bytes, then texts, each in a transaction of its own
import sys

import psycopg

payload, *texts = (bytes.fromhex(line) for line in open(sys.argv[2]))
insert = "INSERT INTO outbox (topic, data) VALUES (%s, %s)"
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for text in map(bytes.decode, texts):
        with connection.transaction():
            connection.execute(insert, ("insert", text))
            connection.execute("SELECT outbox_send(%s, %s)", ("call", text))
    connection.execute("INSERT INTO outbox (topic, payload) VALUES (%s, %s)", ("bytes", payload))
    try:
        connection.execute(insert, ("nul", "a\0b"))
    except psycopg.Error as error:
        print("refused:", error)
