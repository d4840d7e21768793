package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"acklab/internal/server"
)

// bareLoop is what somebody writes who needs no more than tasks that survive
// their worker: one goroutine with go-redis, a script that pops a hundred
// messages and writes them down in the same step, encoding/json without types,
// and the settlement of the last hundred in front of the next pop.
type bareLoop struct {
	b      *testing.B
	redis  *server.Redis
	queue  string
	count  int
	client *redis.Client
}

// handful is how many messages a pop of the bare loop takes.
const handful = 100

// popHandful has KEYS: list, hash of what is unsettled; ARGV: how many, the
// number of the first. It returns the messages.
var popHandful = redis.NewScript(`
local messages = redis.call('LRANGE', KEYS[1], -ARGV[1], -1)
if #messages > 0 then
  redis.call('LTRIM', KEYS[1], 0, -1 - #messages)
  local held = {}
  for i, message in ipairs(messages) do
    held[2 * i - 1] = ARGV[2] + i - 1
    held[2 * i] = message
  end
  redis.call('HSET', KEYS[2], unpack(held))
end
return messages`)

func newBareLoop(b *testing.B, r *server.Redis, queue string, count int) *bareLoop {
	l := &bareLoop{b: b, redis: r, queue: queue, count: count, client: r.Client()}
	b.Cleanup(func() { l.client.Close() })
	if err := popHandful.Load(context.Background(), l.client).Err(); err != nil {
		b.Fatal(err)
	}
	return l
}

// work runs what is on the queue, and settles it.
func (l *bareLoop) work() lap {
	ctx := context.Background()
	held := l.queue + ".held"
	handlers := map[string]func(args []any) any{"noop": func([]any) any { return nil }}
	var done []string
	watch := start(l.redis)
	for ran := 0; ran < l.count; {
		pipe := l.client.Pipeline()
		if len(done) > 0 {
			pipe.HDel(ctx, held, done...)
		}
		pop := popHandful.EvalSha(ctx, pipe, []string{l.queue, held}, handful, ran)
		if _, err := pipe.Exec(ctx); err != nil {
			l.b.Fatal(err)
		}
		messages, err := pop.StringSlice()
		if err != nil || len(messages) == 0 {
			l.b.Fatalf("%d of %d tasks, then %d messages: %v", ran, l.count, len(messages), err)
		}
		done = done[:0]
		for i := range messages {
			name, args, err := generic(messages[len(messages)-1-i])
			if err != nil {
				l.b.Fatal(err)
			}
			handlers[name](args)
			done = append(done, fmt.Sprint(ran+len(messages)-1-i))
		}
		ran += len(messages)
	}
	if err := l.client.HDel(ctx, held, done...).Err(); err != nil {
		l.b.Fatal(err)
	}
	took := watch.stop().of(l.count)
	if left := l.client.Exists(ctx, l.queue, held).Val(); left != 0 {
		l.b.Fatal("the bare loop has left something behind")
	}
	return took
}

// generic reads the name of the task and its arguments.
func generic(message string) (name string, args []any, err error) {
	var envelope struct {
		Body    string         `json:"body"`
		Headers map[string]any `json:"headers"`
	}
	if err := json.Unmarshal([]byte(message), &envelope); err != nil {
		return "", nil, err
	}
	body, err := base64.StdEncoding.DecodeString(envelope.Body)
	if err != nil {
		return "", nil, err
	}
	var parts []any
	if err := json.Unmarshal(body, &parts); err != nil {
		return "", nil, err
	}
	name, _ = envelope.Headers["task"].(string)
	if len(parts) > 0 {
		args, _ = parts[0].([]any)
	}
	return name, args, nil
}
