package ledger

// DetailDuplicate is what a refused line says in its Detail, with any value, when
// the broker refused the message because it has one of that id already: this
// attempt was not stored, and an earlier one was.
const DetailDuplicate = "duplicate"

// What the planned line of a member of a workflow says in its Detail, beside the
// name of its task.
const (
	// DetailWorkflow is an id that all members have in common.
	DetailWorkflow = "workflow"
	// DetailPlace is where the member stands in it, as a path: "chain[1].group[0]",
	// "chord[3]", "callback", "link_error[0]"; "task" is one that stands alone.
	DetailPlace = "place"
	// DetailGroup is the id of the group or chord that it is a member of, if any.
	DetailGroup = "group"
)
