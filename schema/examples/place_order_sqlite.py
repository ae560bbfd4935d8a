# python3 place_order_sqlite.py shop.db 7
import json
import sqlite3
import sys

path, order = sys.argv[1], int(sys.argv[2])
data = json.dumps({"order": order, "customer": "customer-3"})

connection = sqlite3.connect(path, timeout=5)
with connection:  # commits at the end, rolls back on an exception
    connection.execute("INSERT INTO orders (id, customer) VALUES (?, ?)", (order, "customer-3"))
    connection.execute(
        "INSERT INTO outbox (topic, message_key, type, data) VALUES (?, ?, ?, ?)",
        ("order.placed", str(order), "shop.order.placed", data),
    )
connection.close()
