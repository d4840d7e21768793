package resulttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"acklab/result"
	"acklab/task"
)

// part is of a member that returned its own number.
func part(chord string, member, size int) result.Part {
	return result.Part{Chord: chord, Member: member, Size: size, Value: fmt.Appendf(nil, "%d", member)}
}

func failedPart(chord string, member, size int) result.Part {
	return result.Part{Chord: chord, Member: member, Size: size, Failed: true}
}

// joins requires that a member joins, and how the chord stands then.
func (p *probe) joins(s result.Store, part result.Part, want result.Joined) {
	p.Helper()
	got, err := s.Join(p.soon(), part)
	if err != nil {
		p.Fatalf("join member %d: %v", part.Member, err)
	}
	if got != want {
		p.Errorf("member %d joins: %+v; want %+v", part.Member, got, want)
	}
}

func (p *probe) wantValues(s result.Store, chord string, want ...string) {
	p.Helper()
	got, err := s.Values(p.soon(), chord, len(want))
	if err != nil {
		p.Fatalf("values: %v", err)
	}
	var texts []string
	for _, one := range got {
		texts = append(texts, string(one))
	}
	if strings.Join(texts, " ") != strings.Join(want, " ") {
		p.Errorf("values %q; want %q", texts, want)
	}
}

func chordTests() []test {
	return []test{
		{"a chord is complete with its last member, in whatever order", nil, func(p *probe) {
			s, other := p.client(), p.client()
			id := p.id()
			p.joins(s, part(id, 2, 3), result.Joined{Members: 1})
			p.joins(other, part(id, 0, 3), result.Joined{Members: 2})
			p.joins(s, part(id, 1, 3), result.Joined{Members: 3, Last: true})
			p.wantValues(other, id, "0", "1", "2")
			alone := p.id()
			p.joins(s, part(alone, 0, 1), result.Joined{Members: 1, Last: true})
			p.wantValues(s, alone, "0")
		}},
		{"a member joins once, and is told the same each time", nil, func(p *probe) {
			s, other := p.client(), p.client()
			id := p.id()
			for range 3 {
				p.joins(s, part(id, 0, 2), result.Joined{Members: 1})
			}
			late := part(id, 1, 2)
			p.joins(other, late, result.Joined{Members: 2, Last: true})
			late.Value = json.RawMessage(`"a second run"`)
			for range 2 {
				p.joins(s, late, result.Joined{Members: 2, Last: true})
				p.joins(other, part(id, 0, 2), result.Joined{Members: 2})
				p.joins(s, failedPart(id, 0, 2), result.Joined{Members: 2})
			}
			p.wantValues(s, id, "0", "1")
		}},
		{"one failed member is the first that failed", nil, func(p *probe) {
			s := p.client()
			id := p.id()
			p.joins(s, part(id, 0, 4), result.Joined{Members: 1})
			for range 2 {
				p.joins(s, failedPart(id, 1, 4), result.Joined{Members: 2, Failed: 1, FirstFailed: true})
			}
			p.joins(s, failedPart(id, 2, 4), result.Joined{Members: 3, Failed: 2})
			p.joins(s, part(id, 1, 4), result.Joined{Members: 3, Failed: 2, FirstFailed: true})
			p.joins(s, part(id, 3, 4), result.Joined{Members: 4, Failed: 2, Last: true})
			_, err := s.Values(p.soon(), id, 4)
			p.wantIs(err, "values with a failed member", result.ErrMalformed)
		}},
		{"values of members are read as they were joined", nil, func(p *probe) {
			s := p.client()
			id := p.id()
			big := `"` + strings.Repeat("x", 1<<20) + `"`
			values := []string{`null`, `"x"`, `{"b": 1, "a":[1.50,  2]}`, `"ü☃ \u0000"`, big}
			for i, v := range values {
				one := part(id, i, len(values))
				if one.Value = json.RawMessage(v); i == 0 {
					one.Value = nil
				}
				p.joins(s, one, result.Joined{Members: i + 1, Last: i == len(values)-1})
			}
			p.wantValues(p.client(), id, values...)
		}},
		{"values of a chord that is not complete are refused", nil, func(p *probe) {
			s := p.client()
			id := p.id()
			_, err := s.Values(p.soon(), id, 2)
			p.wantIs(err, "values of an unknown chord", result.ErrMalformed)
			p.joins(s, part(id, 0, 2), result.Joined{Members: 1})
			_, err = s.Values(p.soon(), id, 2)
			p.wantIs(err, "values with one of two", result.ErrMalformed)
		}},
		{"a part that makes no sense is invalid and not joined", nil, func(p *probe) {
			s := p.client()
			id := p.id()
			odd := part(id, 0, 2)
			odd.Value = json.RawMessage("{")
			both := part(id, 0, 2)
			both.Failed = true
			for what, one := range map[string]result.Part{
				"no chord": part("", 0, 1), "a place beyond the size": part(id, 2, 2), "a negative place": part(id, -1, 2),
				"no members": part(id, 0, 0), "too many": part(id, 0, task.MaxTasks+1), "no JSON": odd, "failed with a value": both,
			} {
				_, err := s.Join(p.soon(), one)
				p.wantIs(err, what, result.ErrInvalid)
			}
			_, err := s.Values(p.soon(), id, 0)
			p.wantIs(err, "values of none", result.ErrInvalid)
			_, err = s.Values(p.soon(), id, -1)
			p.wantIs(err, "values of fewer than none", result.ErrInvalid)
			p.joins(s, part(id, 1, 2), result.Joined{Members: 1})
		}},
		{"of members that join at the same moment one is the last", nil, crowdedChord},
		{"a closed client joins nothing", nil, func(p *probe) {
			s := p.client()
			id := p.id()
			if err := s.Close(p.soon()); err != nil {
				p.Fatalf("close: %v", err)
			}
			_, err := s.Join(p.soon(), part(id, 0, 1))
			p.wantIs(err, "join", result.ErrClosed)
			_, err = s.Values(p.soon(), id, 1)
			p.wantIs(err, "values", result.ErrClosed)
			p.joins(p.client(), part(id, 0, 1), result.Joined{Members: 1, Last: true})
		}},
		{"what has joined lives with the chord and then expires", nil, func(p *probe) {
			s := p.open(result.Options{Expires: short})
			id := p.id()
			p.joins(s, part(id, 0, 2), result.Joined{Members: 1})
			p.idle(short / 2)
			joined := time.Now()
			p.joins(s, part(id, 1, 2), result.Joined{Members: 2, Last: true})
			p.idle(short / 4 * 3)
			if _, err := s.Values(p.soon(), id, 2); err != nil && time.Since(joined) < short*9/10 {
				p.Errorf("%v after the last join: %v", time.Since(joined), err)
			}
			p.idle(short)
			_, err := s.Values(p.soon(), id, 2)
			p.wantIs(err, "values of a chord that has expired", result.ErrMalformed)
			anew := time.Now()
			p.joins(s, part(id, 1, 2), result.Joined{Members: 1}) // nothing is left of it
			_, err = s.Values(p.soon(), id, 2)
			p.wantIs(err, "values of one that begins anew", result.ErrMalformed)
			want := result.Joined{Members: 2, Failed: 1, Last: true, FirstFailed: true}
			if got, err := s.Join(p.soon(), failedPart(id, 0, 2)); (err != nil || got != want) && time.Since(anew) < short*9/10 {
				p.Errorf("%v after the first join anew: %+v, %v; want %+v", time.Since(anew), got, err, want)
			}
		}},
	}
}

// crowdedChord has the members of chords join at once, each twice, by several
// clients.
func crowdedChord(p *probe) {
	clients := []result.Store{p.client(), p.client()}
	const size = 40
	for round := range 5 {
		id := p.id()
		var mu sync.Mutex
		lasts, first := map[int]int{}, map[int]int{}
		var members sync.WaitGroup
		for i := range 2 * size {
			members.Go(func() {
				one := part(id, i%size, size)
				if round == 4 && i%size < 5 {
					one = failedPart(id, i%size, size)
				}
				got, err := clients[i/size].Join(p.ctx, one)
				if err != nil {
					p.Errorf("join: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if got.Last {
					lasts[one.Member]++
				}
				if got.FirstFailed {
					first[one.Member]++
				}
			})
		}
		members.Wait()
		if len(lasts) != 1 {
			p.Errorf("round %d: the members %v were told that they were the last", round, lasts)
		}
		if round == 4 && len(first) != 1 || round < 4 && len(first) != 0 {
			p.Errorf("round %d: the members %v were told that they were the first to fail", round, first)
		}
		if round == 4 {
			continue
		}
		var want []string
		for i := range size {
			want = append(want, fmt.Sprint(i))
		}
		p.wantValues(clients[0], id, want...)
	}
}

// chordFaults break the server while a chord is counted.
func chordFaults() []test {
	return []test{
		{"a chord is counted over kills of the server", []need{needKill, needSurvival}, func(p *probe) {
			s := p.client()
			id := p.id()
			const size = 60
			last := 0
			for i := range size {
				if i%20 == 10 {
					p.do("kill", p.server.Kill)
					_, err := s.Join(p.soon(), part(id, i, size))
					p.wantIs(err, "join in a dead server", result.ErrUnavailable)
					_, err = s.Values(p.soon(), id, size)
					p.wantIs(err, "values from a dead server", result.ErrUnavailable)
					p.do("restart", p.server.Restart)
				}
				p.until("it has joined", func() error {
					got, err := s.Join(p.soon(), part(id, i, size))
					if err == nil && got.Members != i+1 {
						return fmt.Errorf("%d members after %d", got.Members, i+1)
					}
					if got.Last {
						last++
					}
					return err
				})
			}
			if last != 1 {
				p.Errorf("%d were the last", last)
			}
		}},
		{"a join in a frozen server obeys its deadline", []need{needFreeze}, func(p *probe) {
			s := p.client()
			id := p.id()
			p.joins(s, part(id, 0, 2), result.Joined{Members: 1})
			p.do("freeze", p.server.Freeze)
			thaw := sync.OnceFunc(func() { p.do("thaw", p.server.Thaw) })
			p.Cleanup(thaw)
			ctx, cancel := context.WithTimeout(p.ctx, 4*pause)
			defer cancel()
			began := time.Now()
			_, err := s.Join(ctx, part(id, 1, 2))
			p.wantIs(err, "join", result.ErrUnavailable)
			if took := time.Since(began); took > p.h.Patience/2 {
				p.Errorf("join took %v with a deadline after %v", took, 4*pause)
			}
			thaw()
			p.until("it has joined", func() error {
				got, err := s.Join(p.soon(), part(id, 1, 2))
				if err == nil && (!got.Last || got.Members != 2) {
					return errors.New("it is not the last")
				}
				return err
			})
		}},
	}
}
