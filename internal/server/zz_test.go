package server
import ("testing";"time";"fmt")
func zz(t *testing.T, before time.Duration, n int, sync string){
	t.Parallel()
	m := keep(t)
	r := startRabbit(t, m, RabbitOptions{})
	lost := 0
	for i := range n {
	time.Sleep(before)
	conn, ch := channel(t, r)
	q := fmt.Sprint("tasks", i)
	_, err := ch.QueueDeclare(q, true, false, false, false, nil)
	do(t, "declare", err)
	publish(t, ch, q, 10)
	if sync != "" { out, err := r.Eval(t.Context(), sync); do(t, "sync", err); if i == 0 {t.Log(out)} }
	do(t, "kill", r.Kill(t.Context()))
	conn.Close()
	do(t, "boot", r.Boot(t.Context()))
	v, err := r.Queue(t.Context(), q)
	do(t, "queue", err)
	if v.Ready != 10 { lost++; out, _ := r.Eval(t.Context(), "length(ets:tab2list(rabbit_durable_queue))"); t.Log(i, v, out) }
	}
	t.Logf("lost %d of %d", lost, n)
}
func TestZZA(t *testing.T) { zz(t, 0, 30, "") }
func TestZZB(t *testing.T) { zz(t, 4*time.Second, 15, "") }
func TestZZC(t *testing.T) { zz(t, 0, 30, "disk_log:sync(latest_log)") }
