package rabbitbroker

import (
	"fmt"
	"testing"
	"time"

	"acklab/broker"
)

func TestZZ(t *testing.T) {
	for _, typ := range []string{"classic", "quorum"} {
		for _, n := range []int{1000, 4000} {
			q := queueName()
			b, _ := stocked(t, calmNode(t).URL("")+"?queue_type="+typ, q, n, broker.Options{})
			s := time.Now()
			k := len(held(t, b, q))
			fmt.Println(typ, n, k, time.Since(s))
		}
	}
}
