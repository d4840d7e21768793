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
	// js is a script, with the licence that goes with it in front.
	"js": func(name string, licence ...string) (template.JS, error) {
		b, err := pageFiles.ReadFile("pages/" + name)
		text := string(b)
		for _, l := range licence {
			words, err := pageFiles.ReadFile("pages/" + l)
			if err != nil {
				return "", err
			}
			text = "/*\n" + string(words) + "\n*/\n" + text
		}
		return template.JS(text), err
	},
	"indexed": func(index int, view plotView) map[string]any {
		return map[string]any{"Index": index, "View": view}
	},
	"slug":      func(s string) string { return strings.ReplaceAll(s, " ", "-") },
	"px":        func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
	"add":       func(a, b float64) float64 { return a + b },
	"sub":       func(a, b float64) float64 { return a - b },
	"plus":      func(a, b int) int { return a + b },
	"atleast":   func(least, v float64) float64 { return max(least, v) },
	"half":      func(a float64) float64 { return a / 2 },
	"add1":      func(n int) int { return n + 1 },
	"predicted": predictedText,
	"sentence":  sentence,
}).ParseFS(pageFiles, "pages/*.html"))
