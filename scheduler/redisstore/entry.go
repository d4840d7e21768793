package redisstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"acklab/scheduler"
)

// Origin is where a schedule is kept.
type Origin string

// The origins.
const (
	InStore Origin = "store" // in the store, where it can be edited
	InFile  Origin = "file"  // in the leader's file; the store has a copy, to be seen
)

// Revision numbers the edits of a store: each is greater than all before. 0 is no
// edit: of a schedule of the file.
type Revision int64

// Entry is a schedule as it is listed.
type Entry struct {
	Schedule scheduler.Schedule `json:"schedule"`
	Origin   Origin             `json:"origin"`
	// Revision is the edit that wrote it.
	Revision Revision `json:"revision,omitempty"`
	// State is what its schedulers remember of it.
	State scheduler.State `json:"state"`
}

// readEntry reads a schedule with its revision, as put.lua writes it.
func readEntry(name, text string) (Entry, error) {
	number, schedule, _ := strings.Cut(text, " ")
	revision, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return Entry{}, fmt.Errorf("schedule %q does not begin with its revision", name)
	}
	s, err := readSchedule(name, schedule)
	return Entry{Schedule: s, Origin: InStore, Revision: Revision(revision)}, err
}

// readSchedule reads one that somebody may have written by hand. No error is a
// *scheduler.FieldError: the field is not one that the caller gave.
func readSchedule(name, text string) (scheduler.Schedule, error) {
	var s scheduler.Schedule
	err := json.Unmarshal([]byte(text), &s)
	if err == nil && s.Name != name {
		err = fmt.Errorf("its name is %q", s.Name)
	}
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		return s, fmt.Errorf("schedule %q: %v", name, err)
	}
	return s, nil
}
