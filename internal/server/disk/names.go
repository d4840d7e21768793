package disk

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// tree is what names there are below the root: path to node, with slashes and without
// a leading one; the root itself is ".".
type tree map[string]*node

// renaming is one entry of the log of names.
type renaming struct {
	what     string // "create", "rename", "remove"
	from, to string // to: only of a rename
	node     *node  // only of a create
}

func (t tree) apply(r renaming) {
	switch r.what {
	case "create":
		t[r.from] = r.node
	case "remove":
		delete(t, r.from)
	case "rename":
		moved := tree{}
		for name, n := range t {
			if rest, below := strings.CutPrefix(name, r.from+"/"); below {
				moved[r.to+"/"+rest] = n
				delete(t, name)
			}
		}
		if n := t[r.from]; n != nil {
			moved[r.to] = n
		}
		delete(t, r.from)
		maps.Copy(t, moved)
	}
}

// sorted lists names in order, parents before what is in them.
func (t tree) sorted() []string { return slices.Sorted(maps.Keys(t)) }

func (r renaming) String() string {
	if r.what == "rename" {
		return "rename " + r.from + " to " + r.to
	}
	return r.what + " " + r.from
}

// concerns are the nodes whose sync has to reach this entry: the named one with all
// below it, and the directories that hold its names.
func (r renaming) concerns(t tree) []*node {
	found := []*node{t[r.from], t[path.Dir(r.from)]}
	if r.node != nil {
		found[0] = r.node
	}
	if r.to != "" {
		found = append(found, t[path.Dir(r.to)])
		for name, n := range t {
			if strings.HasPrefix(name, r.from+"/") {
				found = append(found, n)
			}
		}
	}
	return slices.DeleteFunc(found, func(n *node) bool { return n == nil })
}
