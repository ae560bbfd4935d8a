# python3 place_order_postgresql.py postgresql://localhost/shop 7
import json
import sys

import psycopg2

url, order = sys.argv[1], int(sys.argv[2])
data = json.dumps({"order": order, "customer": "customer-3"})

connection = psycopg2.connect(url)
with connection, connection.cursor() as cursor:  # commits at the end, rolls back on an exception
    cursor.execute("INSERT INTO orders (id, customer) VALUES (%s, %s)", (order, "customer-3"))
    cursor.execute(
        "INSERT INTO outbox (topic, message_key, type, data) VALUES (%s, %s, %s, %s)",
        ("order.placed", str(order), "shop.order.placed", data),
    )
connection.close()
