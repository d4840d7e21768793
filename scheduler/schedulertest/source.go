package schedulertest

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"acklab/scheduler"
)

// Sources runs what the comments of scheduler.Source say, each on a store that
// fresh makes, with Source and Put.
func Sources(t *testing.T, fresh func(testing.TB) Store) {
	removes := func(s Store) bool {
		if s.Source == nil {
			return false
		}
		_, can := s.Source(t).(scheduler.Remover)
		return can
	}
	asks := func(s Store) bool { return s.Ask != nil }
	run(t, fresh, []test{
		{"what was put is loaded, by every client", nil, putIsLoaded},
		{"a change wakes those who watch", nil, changeWakes},
		{"a request wakes those who watch", asks, requestWakes},
		{"watching ends with its context", nil, watchEnds},
		{"a schedule that was changed meanwhile is not removed", removes, removal},
	})
}

// everything has all fields set that can be.
func everything(name string) scheduler.Schedule {
	return scheduler.Schedule{
		Name: name, Task: "add", Args: []json.RawMessage{json.RawMessage("4"), json.RawMessage(`"four\u0000"`)},
		Kwargs: map[string]json.RawMessage{"a b": json.RawMessage(`{"x": [1.5]}`)},
		Queue:  "high", Priority: 3, Cron: "*/5 8-17 * * mon-fri", Zone: "Europe/Berlin",
		Expires: 90 * time.Second, Jitter: 1500 * time.Millisecond, CatchUp: scheduler.CatchUpAll,
		Window: time.Hour, Overlap: scheduler.OverlapSkip, MaxRuns: 7,
	}
}

func (p *probe) load(s scheduler.Source) map[string]scheduler.Schedule {
	p.Helper()
	all, err := s.Load(p.soon())
	p.ok(err)
	byName := map[string]scheduler.Schedule{}
	for _, one := range all {
		if _, twice := byName[one.Name]; twice {
			p.Errorf("%q comes twice", one.Name)
		}
		if err := one.Check(); err != nil {
			p.Errorf("%q: %v", one.Name, err)
		}
		byName[one.Name] = one
	}
	return byName
}

func putIsLoaded(p *probe) {
	first, second := p.Source(p), p.Source(p)
	if all := p.load(first); len(all) != 0 {
		p.Fatalf("an empty store has %v", all)
	}
	want := map[string]scheduler.Schedule{}
	at := scheduled("at a moment")
	at.Every, at.At = 0, start
	phased := scheduled("phased")
	phased.Phase = 3 * time.Minute
	for _, one := range []scheduler.Schedule{everything("every field"), at, phased, scheduled(`süß "🕐" \`)} {
		p.ok(p.Put(p.soon(), one))
		want[one.Name] = one
		for _, s := range []scheduler.Source{first, second, first} {
			if got := p.load(s); !reflect.DeepEqual(texts(p, got), texts(p, want)) {
				p.Fatalf("loaded\n%v\nwant\n%v", texts(p, got), texts(p, want))
			}
		}
	}
	changed := want["phased"]
	changed.Enabled, changed.Every = false, 2*time.Hour
	p.ok(p.Put(p.soon(), changed))
	if got := p.load(first)["phased"]; got.Enabled || got.Every != 2*time.Hour {
		p.Errorf("after a change: %+v", got)
	}
}

func texts(p *probe, all map[string]scheduler.Schedule) map[string]string {
	p.Helper()
	byName := map[string]string{}
	for name, one := range all {
		text, err := json.Marshal(one)
		p.ok(err)
		byName[name] = string(text)
	}
	return byName
}

// settled reads what a watch gives until nothing comes for a while.
func (p *probe) settled(changed <-chan struct{}) {
	p.Helper()
	for {
		select {
		case <-changed:
		case <-time.After(500 * time.Millisecond):
			return
		}
	}
}

func changeWakes(p *probe) {
	s := p.Source(p)
	changed := s.Watch(p.Context())
	p.settled(changed)
	for range 3 {
		p.put("a")
		await(p, "a value after a change", changed)
		if len(p.load(s)) != 1 {
			p.Error("it is not loaded")
		}
		p.put("a")
	}
}

func requestWakes(p *probe) {
	p.put("a")
	changed := p.Source(p).Watch(p.Context())
	p.settled(changed)
	_, err := p.Ask(p.soon(), "a")
	p.ok(err)
	await(p, "a value after a request", changed)
}

func watchEnds(p *probe) {
	ctx, cancel := context.WithCancel(p.Context())
	changed := p.Source(p).Watch(ctx)
	cancel()
	for open := true; open; {
		_, open = await(p, "the end of the watch", changed)
	}
}

func removal(p *probe) {
	s := p.Source(p)
	r := s.(scheduler.Remover)
	p.put("a")
	old := p.load(s)["a"]
	changed := old
	changed.MaxRuns = 5
	p.ok(p.Put(p.soon(), changed))
	p.ok(r.Remove(p.soon(), old))
	if len(p.load(s)) != 1 {
		p.Fatal("the changed one is removed")
	}
	p.ok(r.Remove(p.soon(), p.load(s)["a"]))
	if len(p.load(s)) != 0 {
		p.Fatal("it is not removed")
	}
	p.ok(r.Remove(p.soon(), old))
}
