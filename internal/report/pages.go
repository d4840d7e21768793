package report

import (
	"embed"
	"html/template"
	"strconv"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

// pages are the templates of the run's page and of a trial's. They carry their
// style and script inside, so that they open without a network.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"css": func(name string) (template.CSS, error) {
		b, err := pageFiles.ReadFile("pages/" + name)
		return template.CSS(b), err
	},
	"slug":      func(s string) string { return strings.ReplaceAll(s, " ", "-") },
	"px":        func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
	"add":       func(a, b float64) float64 { return a + b },
	"sub":       func(a, b float64) float64 { return a - b },
	"half":      func(a float64) float64 { return a / 2 },
	"add1":      func(n int) int { return n + 1 },
	"predicted": predictedText,
	"sentence":  sentence,
}).ParseFS(pageFiles, "pages/*.html"))
