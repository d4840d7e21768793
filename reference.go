package acklab

import _ "embed"

// ReferenceReport is the report.json of the committed reference run
// (docs/reference-run), as it was when the program was built.
//
//go:embed docs/reference-run/report.json
var ReferenceReport []byte
