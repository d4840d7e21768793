package doctor

import (
	"context"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestARabbitInTroubleIsWarnedOf(t *testing.T) {
	t.Parallel()
	r := servertest.Rabbit(t, server.RabbitOptions{Plugins: server.Plugins{Management: true}})
	conn, err := amqp.Dial(r.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseDeadline(time.Now().Add(time.Second))
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string]amqp.Table{
		"good": {"x-dead-letter-exchange": "", "x-max-length": 10}, "paired": nil, "paired.dead": nil,
		"old-ha": {"x-ha-policy": "all"}, "votes": {"x-queue-type": "quorum"},
	} {
		if _, err := ch.QueueDeclare(name, true, false, false, false, args); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ch.QueueDeclare("transient", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("reply", false, true, true, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Consume("paired", "greedy", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Consume("good", "careless", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for _, eval := range []string{
		`rabbit_policy:set(<<"/">>, <<"ha">>, <<"^old">>, [{<<"ha-mode">>, <<"all">>}], 0, <<"queues">>, <<"test">>)`,
		`vm_memory_monitor:set_vm_memory_high_watermark(0.0000001)`,
	} {
		if _, err := r.Eval(t.Context(), eval); err != nil {
			t.Fatal(err)
		}
	}
	has(t, advise(t, r.URL(""), "http://"+r.ManagementAddr()), Warning, "memory alarm on "+r.Node()) // at once, before any statistics
	found := awaitFindings(t, r, "consumers without a prefetch limit", "consumers without acknowledgement")
	has(t, found, Warning, "memory alarm on "+r.Node())
	has(t, found, Warning, "not durable: queue transient")
	has(t, found, Warning, "the argument x-ha-policy is on queue old-ha")
	has(t, found, Warning, "consumers without a prefetch limit on queue paired")
	has(t, found, Warning, "consumers without acknowledgement (autoAck) on queue good")
	has(t, found, Advice, `policy "ha" mirrors classic queues`)
	has(t, found, Advice, "no dead letters: queues old-ha, transient, votes")
	has(t, found, Advice, "no length limit: queues old-ha, paired, paired.dead, transient, votes")
	has(t, found, Advice, "quorum without a delivery limit: queue votes")
	has(t, found, Unseen, "consumer_timeout could not be looked at")
	hasNot(t, found, Fine, "no memory or disk alarm")
}

// awaitFindings asks again until the management statistics know of all these.
func awaitFindings(t *testing.T, r *server.Rabbit, starts ...string) []Finding {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(300 * time.Millisecond) {
		found := advise(t, r.URL(""), "http://"+r.ManagementAddr())
		known := 0
		for _, f := range found {
			for _, start := range starts {
				if strings.HasPrefix(f.What, start) {
					known++
				}
			}
		}
		if known == len(starts) || time.Now().After(deadline) {
			return found
		}
	}
}

func TestARabbitWithoutManagementSaysWhatCouldNotBeLookedAt(t *testing.T) {
	t.Parallel()
	r := servertest.Rabbit(t, server.RabbitOptions{})
	found := advise(t, r.URL(""), "http://127.0.0.1:1")
	has(t, found, Unseen, "alarms, queues, policies and consumers could not be looked at: the management API at http://127.0.0.1:1 does not answer")
	hasNot(t, found, Fine, "no memory or disk alarm")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Advise(ctx, r.URL(""), ""); err == nil {
		t.Error("a look that was interrupted is no error")
	}
}

func TestAUserWithLittleRightsSeesWhatItMay(t *testing.T) {
	t.Parallel()
	r := servertest.Rabbit(t, server.RabbitOptions{Plugins: server.Plugins{Management: true}})
	for _, eval := range []string{
		`rabbit_auth_backend_internal:add_user(<<"some">>, <<"s3cret">>, <<"test">>)`,
		`rabbit_auth_backend_internal:set_permissions(<<"some">>, <<"/">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>)`,
		`rabbit_auth_backend_internal:set_tags(<<"some">>, [management], <<"test">>)`,
	} {
		if _, err := r.Eval(t.Context(), eval); err != nil {
			t.Fatal(err)
		}
	}
	found := advise(t, "amqp://some:s3cret@"+r.Addr(), "http://"+r.ManagementAddr())
	has(t, found, Unseen, "alarms, memory and disk of the nodes could not be looked at")
	hasNot(t, found, Unseen, "queues could not be looked at")
	hasNot(t, found, Fine, "no memory or disk alarm")
}
