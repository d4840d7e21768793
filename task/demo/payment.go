package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"acklab/task"
)

// Payment is what process_payment returns.
type Payment struct {
	Order   string      `json:"order"`
	Amount  json.Number `json:"amount"`
	Receipt string      `json:"receipt"`
}

// money is a positive amount as JSON writes it, with at most two decimals.
var money = regexp.MustCompile(`^(0|[1-9][0-9]{0,11})(\.[0-9]{1,2})?$`)

// ProcessPayment is process_payment(order, amount): it takes 50 ms and
// returns a Payment. The receipt depends on the order alone, so that a second
// run of the same order can be recognised: the idempotency key of the
// teaching material. The amount is a number with at most two decimals, kept
// as it was written, never a float.
func ProcessPayment(ctx context.Context, c *task.Call) (any, error) {
	var order string
	var amount json.Number
	if err := c.Bind(task.Named("order", &order), task.Named("amount", &amount)); err != nil {
		return nil, err
	}
	if order == "" {
		return nil, c.Bad("order", "is empty")
	}
	value, err := amount.Float64()
	if err != nil || value <= 0 || !money.MatchString(string(amount)) {
		return nil, c.Bad("amount", fmt.Sprintf("%s is not a positive amount with at most two decimals", amount))
	}
	if err := task.Work(ctx, 50*time.Millisecond); err != nil {
		return nil, fmt.Errorf("charge order %q: %w", order, err)
	}
	sum := sha256.Sum256([]byte("receipt:" + order))
	return Payment{Order: order, Amount: amount, Receipt: hex.EncodeToString(sum[:8])}, nil
}
