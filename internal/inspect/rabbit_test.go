package inspect

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"acklab/internal/server"
	"acklab/internal/server/servertest"
)

func TestWhatLiesInRabbitIsShown(t *testing.T) {
	t.Parallel()
	r := servertest.Rabbit(t, server.RabbitOptions{Plugins: server.Plugins{Management: true}})
	conn, err := amqp.Dial(r.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	declare := func(name string, durable, autoDelete, exclusive bool, args amqp.Table) {
		t.Helper()
		if _, err := ch.QueueDeclare(name, durable, autoDelete, exclusive, false, args); err != nil {
			t.Fatal(err)
		}
	}
	declare("celery", true, false, false, nil)
	declare("transient", false, false, false, amqp.Table{"x-max-length": 10, "x-dead-letter-exchange": ""})
	declare("mine", false, true, true, nil)
	declare("odd\x1bname", true, false, false, nil)
	declare("quorum", true, false, false, amqp.Table{"x-queue-type": "quorum"})
	for _, step := range []error{
		ch.ExchangeDeclare("celery", "direct", true, false, false, false, nil),
		ch.ExchangeDeclare("events", "topic", false, false, false, false, nil),
		ch.QueueBind("celery", "celery", "celery", false, nil),
		ch.QueueBind("celery", "task.#", "events", false, nil),
		ch.Confirm(false),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	for range 3 {
		c, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "celery", false, false, amqp.Publishing{Body: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.WaitContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := ch.Get("celery", false); err != nil || !ok {
		t.Fatal(ok, err)
	}
	o := Options{Management: "http://" + r.ManagementAddr()}
	awaitStatistics(t, r.URL(""), o)
	_, text := look(t, r.URL(""), o)
	for _, want := range []string{
		`RabbitMQ \d+\.\d+\.\d+\S* at amqp://guest@` + regexp.QuoteMeta(r.Addr()) + `/: 5 queues, 9 exchanges, 7 bindings in virtual host /`,
		`QUEUE +TYPE +DURABLE +READY +UNACKED +CONSUMERS +ARGUMENTS`,
		`celery +classic +yes +2 +1 +0 +-`,
		`mine +classic +no +0 +0 +0 +auto-delete, exclusive`,
		`odd\\x1bname +classic +yes`,
		`quorum +quorum +yes +\S+ +\S+ +\S+ +\{"x-queue-type":"quorum"\}`,
		`transient +classic +no +0 +0 +0 +\{"x-dead-letter-exchange":"","x-max-length":10\}`,
		`\(default\) +direct +yes +-`,
		`celery +direct +yes +-`,
		`events +topic +no +-`,
		`\(default\) +celery +queue celery +-`,
		`celery +celery +queue celery +-`,
		`events +task\.# +queue celery +-`,
		`read from http://` + regexp.QuoteMeta(r.ManagementAddr()),
	} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(text) {
			t.Errorf("no line like %s in:\n%s", want, text)
		}
	}
	v, text := look(t, r.URL(""), Options{Management: o.Management, Limit: 2})
	if len(v.Rabbit.Queues) != 2 || v.Rabbit.MoreQueues != 3 || v.Rabbit.MoreExchanges != 7 || v.Rabbit.MoreBindings != 5 || !strings.Contains(text, "... 3 queues more") {
		t.Errorf("with a limit of 2: %+v\n%s", v.Rabbit, text)
	}
}

// awaitStatistics waits until the counts are of now: they are renewed every
// five seconds.
func awaitStatistics(t *testing.T, url string, o Options) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		v, err := Look(t.Context(), url, o)
		if err != nil {
			t.Fatal(err)
		}
		fresh := true
		for _, q := range v.Rabbit.Queues {
			fresh = fresh && q.Ready != nil && q.Consumers != nil && (q.Name != "celery" || (*q.Ready == 2 && *q.Unacked == 1))
		}
		if fresh {
			return
		}
	}
	t.Fatal("the statistics never came")
}

func TestRabbitWithoutManagementAndWrongUsersAreSaid(t *testing.T) {
	t.Parallel()
	r := servertest.Rabbit(t, server.RabbitOptions{Plugins: server.Plugins{Management: true}})
	management := "http://" + r.ManagementAddr()
	fails(t, t.Context(), r.URL(""), Options{Management: "http://127.0.0.1:1"}, "rabbitmq-plugins enable rabbitmq_management")
	fails(t, t.Context(), "amqp://guest:s3cret@"+r.Addr(), Options{}, "does not accept this user and password")
	fails(t, t.Context(), r.URL("")+"nowhere", Options{}, "virtual host does not exist")
	fails(t, t.Context(), "amqps://guest:s3cret@"+r.Addr(), Options{}, "TLS")
	for _, eval := range []string{
		`rabbit_auth_backend_internal:add_user(<<"plain">>, <<"s3cret">>, <<"test">>)`,
		`rabbit_auth_backend_internal:set_permissions(<<"plain">>, <<"/">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>)`,
	} {
		if _, err := r.Eval(t.Context(), eval); err != nil {
			t.Fatal(err)
		}
	}
	fails(t, t.Context(), "amqp://plain:s3cret@"+r.Addr(), Options{Management: management}, "set_user_tags plain monitoring")
	// With credentials of its own the management API is another user's.
	look(t, "amqp://plain:s3cret@"+r.Addr(), Options{Management: strings.Replace(management, "//", "//guest:guest@", 1)})
}

func TestAVirtualHostOfAnyNameIsFound(t *testing.T) {
	t.Parallel()
	r := servertest.Rabbit(t, server.RabbitOptions{Plugins: server.Plugins{Management: true}})
	for _, eval := range []string{
		`rabbit_vhost:add(<<"a/b c">>, <<"test">>)`,
		`rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"a/b c">>, <<".*">>, <<".*">>, <<".*">>, <<"test">>)`,
	} {
		if _, err := r.Eval(t.Context(), eval); err != nil {
			t.Fatal(err)
		}
	}
	v, text := look(t, r.URL("")+"a%2Fb%20c", Options{Management: "http://" + r.ManagementAddr()})
	if v.Rabbit.Vhost != "a/b c" || !strings.Contains(text, "0 queues") || !strings.Contains(text, fmt.Sprintf("amqp://guest@%s/a%%2Fb%%20c:", r.Addr())) {
		t.Errorf("%+v\n%s", v, text)
	}
}
