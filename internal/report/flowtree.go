package report

import (
	"slices"
	"strings"
)

// node is a place in the tree of a workflow.
type node struct {
	label string  // chain, group, chord; or what kind of member it is: "", callback, link
	leaf  *member // nil: it is a chain, a group or a chord
	below []*node
}

// tree builds the tree from the places of the members.
func (f *flow) tree() *node {
	root := &node{}
	at := map[string]*node{"": root}
	for _, m := range f.members {
		parent, path := root, ""
		steps := strings.Split(m.place, ".")
		for i, step := range steps {
			word, _, _ := strings.Cut(step, "[")
			inside := slices.Contains(containers, word)
			switch { // the chain, group or chord itself, then its element
			case inside:
				path += "." + word
				parent = child(at, parent, path, &node{label: word})
			case word == "callback":
				path += ".chord"
				parent = child(at, parent, path, &node{label: "chord"})
			}
			path += "." + step
			n := &node{}
			if !inside && word != "task" {
				n.label = strings.ReplaceAll(word, "_", " ")
			}
			if i == len(steps)-1 {
				n.leaf = m
			}
			parent = child(at, parent, path, n)
		}
	}
	return root.flat()
}

// containers are the words of places that hold others.
var containers = []string{"chain", "group", "chord"}

// child is the node at the path, made where there is none.
func child(at map[string]*node, parent *node, path string, n *node) *node {
	if have := at[path]; have != nil {
		if n.leaf != nil { // what hangs below it was planned first
			have.leaf = n.leaf
		}
		return have
	}
	at[path] = n
	parent.below = append(parent.below, n)
	return n
}

// flat takes out the elements that only hold the next node: chain[1] that is a
// group is that group.
func (n *node) flat() *node {
	for i, b := range n.below {
		n.below[i] = b.flat()
	}
	if n.leaf == nil && len(n.below) == 1 && !slices.Contains(containers, n.label) {
		only := n.below[0]
		only.label = strings.TrimSpace(n.label + " " + only.label)
		return only
	}
	return n
}
