package task

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"testing"
)

// celerysWorkflows are the messages that Celery 5.2.6 publishes for some
// workflows, by their names: see testdata/workflows/write.py.
func celerysWorkflows(t *testing.T) map[string][]*Message {
	t.Helper()
	f, err := os.Open("testdata/workflows/celery.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string][]*Message{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var name string
		var messages []struct {
			Headers map[string]any
			Body    json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &[]any{&name, &messages}); err != nil {
			t.Fatal(err)
		}
		for _, one := range messages {
			m, err := Decode(Wire{Headers: one.Headers, ContentType: contentType, ContentEncoding: contentEncoding, Body: one.Body})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			m.Queue = "q"
			out[name] = append(out[name], m)
		}
	}
	return out
}

// plain is JSON without what says nothing: options that are null, and what Celery
// notes twice in the header of a chord.
func plain(t *testing.T, raw []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			options, _ := v["options"].(map[string]any)
			for key, value := range options {
				if value == nil || v["subtask_type"] == "group" && key == "chord" || v["subtask_type"] == "chord" && key == "task_id" {
					delete(options, key)
				}
			}
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(v)
	return v
}

func TestCelerysLinksAreReadAndWrittenBack(t *testing.T) {
	t.Parallel()
	linked := 0
	for name, messages := range celerysWorkflows(t) {
		for _, m := range messages {
			if m.Embed == nil {
				continue
			}
			linked++
			links, err := m.Links()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			again, err := json.Marshal(links)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got, want := plain(t, again), plain(t, m.Embed); !reflect.DeepEqual(got, want) {
				t.Errorf("%s:\ngot  %v\nwant %v", name, got, want)
			}
		}
	}
	if linked < 9 {
		t.Errorf("only %d messages with links", linked)
	}
}

// next is what follows the first message of one of Celery's workflows when it
// has returned 3.
func next(t *testing.T, m *Message) []*Message {
	t.Helper()
	links, err := m.Links()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := m.Successors(links, json.RawMessage("3"))
	if err != nil {
		t.Fatal(err)
	}
	return plan.First
}

func TestTheStepsOfCelerysChainFollow(t *testing.T) {
	t.Parallel()
	first := celerysWorkflows(t)["chain"][0]
	second := next(t, first)[0]
	if second.TaskID != "id-4" || second.ID != "id-4:0" || second.Queue != "other" || second.Priority != 3 || second.RootID != "id-5" || second.ParentID != "id-5" {
		t.Errorf("the second step is %+v", second)
	}
	mustEqual(t, second.Args, raws("3", "4")) // immutable
	third := next(t, second)[0]
	if third.TaskID != "id-3" || third.Queue != "q" || third.RootID != "id-5" || third.ParentID != "id-4" || third.ETA.IsZero() || third.Extra["x"] != "y" {
		t.Errorf("the third step is %+v", third)
	}
	mustEqual(t, third.Args, raws("3", "5"))
	if got := next(t, third); len(got) != 0 {
		t.Errorf("after the last step come %d", len(got))
	}
}

func TestCelerysCallbacksGetTheSameIdsEachTime(t *testing.T) {
	t.Parallel()
	m := celerysWorkflows(t)["link"][0]
	one, two := next(t, m), next(t, m)
	if len(one) != 1 || one[0].TaskID == "" || one[0].TaskID != two[0].TaskID || one[0].ID != two[0].ID {
		t.Errorf("%+v\n%+v", one, two)
	}
	mustEqual(t, one[0].Args, raws("3", "3"))
	links, _ := m.Links()
	plan, err := m.Failing(links)
	if err != nil || len(plan.First) != 2 || len(plan.Owed) != 0 {
		t.Fatalf("errbacks: %+v, %v", plan, err)
	}
	mustEqual(t, plan.First[0].Args, raws("4")) // immutable
	mustEqual(t, plan.First[1].Args, raws(`"id-1"`, "5"))
	if plan.First[0].TaskID == plan.First[1].TaskID || plan.First[0].TaskID == one[0].TaskID {
		t.Error("derived ids collide")
	}
}

func TestAGroupAtTheEndOfCelerysChainFollowsWhole(t *testing.T) {
	t.Parallel()
	got := next(t, celerysWorkflows(t)["chain ends in a group"][0])
	if len(got) != 3 {
		t.Fatalf("%d messages", len(got))
	}
	for i, want := range []struct{ id, arg string }{{"id-14", "2"}, {"id-15", "4"}, {"id-16", "3"}} {
		if got[i].TaskID != want.id || got[i].GroupID != "id-13" || got[i].Extra[groupIndex] != int64(i) || string(got[i].Args[1]) != want.arg {
			t.Errorf("member %d: %+v", i, got[i])
		}
	}
}

func TestAChordInCelerysChainIsOursOnceWeBeginIt(t *testing.T) {
	t.Parallel()
	header := next(t, celerysWorkflows(t)["chain has a chord"][0])
	if len(header) != 2 {
		t.Fatalf("%d messages", len(header))
	}
	links, err := header[1].Links()
	if err != nil {
		t.Fatal(err)
	}
	c, err := header[1].Member(links)
	if err != nil || c == nil || c.Size != 2 || c.Index != 1 || c.Group != "id-19" || c.Task != "id-21" {
		t.Fatalf("member %+v, %v", c, err)
	}
	plan, err := c.Callback(raws("1", "2"))
	if err != nil || len(plan.First) != 1 || len(plan.Owed) != 2 || plan.Results[0] != "id-22" {
		t.Fatalf("callback %+v, %v", plan, err)
	}
	body := plan.First[0]
	if body.TaskID != "id-23" || !body.Once || body.RootID != "id-24" {
		t.Errorf("callback %+v", body)
	}
	mustEqual(t, body.Args, raws("[1,2]", "4"))
}

func TestAChordThatCeleryHasBegunSaysSo(t *testing.T) {
	t.Parallel()
	for name, index := range map[string]int{"chord": 0, "chord in a chord": 2} {
		m := celerysWorkflows(t)[name][index]
		links, err := m.Links()
		if err != nil {
			t.Fatal(err)
		}
		if c, err := m.Member(links); err != nil || c == nil || c.Size != 0 || c.Task != m.TaskID {
			t.Errorf("%s: member %+v, %v", name, c, err)
		}
	}
}
