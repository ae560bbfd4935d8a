// Package shop places orders. database/sql with github.com/lib/pq or pgx; with SQLite write ? for $1, $2, ...
package shop

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
)

func PlaceOrder(ctx context.Context, db *sql.DB, order int64, customer string) error {
	data, err := json.Marshal(map[string]any{"order": order, "customer": customer})
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if _, err := tx.ExecContext(ctx, "INSERT INTO orders (id, customer) VALUES ($1, $2)", order, customer); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO outbox (topic, message_key, type, data) VALUES ($1, $2, $3, $4)",
		"order.placed", strconv.FormatInt(order, 10), "shop.order.placed", string(data)); err != nil {
		return err
	}
	return tx.Commit()
}
