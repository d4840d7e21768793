package doctor

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/internal/server"
)

func TestBlockedProbe(t *testing.T) {
	r := startRabbit(t, server.RabbitOptions{Conf: []string{"vm_memory_high_watermark.absolute = 1MB"}})
	for _, publish := range []bool{false, true} {
		conn, err := amqp.Dial(r.URL(""))
		if err != nil {
			t.Fatal(err)
		}
		b := conn.NotifyBlocked(make(chan amqp.Blocking, 4))
		if publish {
			ch, _ := conn.Channel()
			ch.PublishWithContext(t.Context(), "", "nowhere", false, false, amqp.Publishing{})
		}
		select {
		case x := <-b:
			t.Log(publish, x)
		case <-time.After(3 * time.Second):
			t.Log(publish, "nothing")
		}
		conn.Close()
	}
}
