package acklab_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sourceRules say how the text of non-test code looks. breaches returns one
// sentence a breach; at turns a node into file and line.
var sourceRules = []struct {
	name     string
	breaches func(f *ast.File, at func(ast.Node) string) []string
	planted  []string
}{
	{
		name:     "every exported name says what it is",
		breaches: undocumented,
		planted: []string{
			"package p; func Exported() {}",
			"package p; type Exported struct{}",
			"package p\n\n// T is documented.\ntype T struct{}\n\nfunc (t *T) Exported() {}",
			"package p\n\n// T is documented.\ntype T[E any] struct{}\n\nfunc (t T[E]) Exported() {}",
			"package p\n\n// T is documented.\ntype T interface{ Exported() }",
			"package p; const Exported = 1",
			"package p; var (\n\t// A is documented.\n\tA = 1\n\n\tExported = 2\n)",
		},
	},
	{
		name:     "nobody sleeps: a wait is for an event",
		breaches: sleeps,
		planted: []string{
			"package p; import \"time\"; func f() { time.Sleep(1) }",
			"package p; import clock \"time\"; var nap = clock.Sleep",
		},
	},
}

func TestTheSourceKeepsItsHabits(t *testing.T) {
	t.Parallel()
	files := parseTree(t)
	for _, rule := range sourceRules {
		t.Run(rule.name, func(t *testing.T) {
			for _, text := range rule.planted {
				set := token.NewFileSet()
				f, err := parser.ParseFile(set, "planted.go", text, parser.ParseComments)
				if err != nil {
					t.Fatal(err)
				}
				if len(rule.breaches(f, position(set))) == 0 {
					t.Errorf("the rule does not see this breach:\n%s", text)
				}
			}
			for _, f := range files.parsed {
				for _, breach := range rule.breaches(f, position(files.set)) {
					t.Error(breach)
				}
			}
		})
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	files := parseTree(t)
	says := map[string]bool{}
	for _, f := range files.parsed {
		dir := path.Dir(filepath.ToSlash(files.set.File(f.Pos()).Name()))
		says[dir] = says[dir] || f.Doc != nil
	}
	for dir, does := range says {
		if !does {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// tree is the parsed non-test code of this module.
type tree struct {
	set    *token.FileSet
	parsed []*ast.File
}

func parseTree(t *testing.T) tree {
	t.Helper()
	files := tree{set: token.NewFileSet()}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"testdata", "bin", "runs"}, name)):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(files.set, name, nil, parser.ParseComments)
		files.parsed = append(files.parsed, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files.parsed) < 10 {
		t.Fatalf("only %d files found: this is not the root of the module", len(files.parsed))
	}
	return files
}

// position returns a function that names a node's file and line.
func position(set *token.FileSet) func(ast.Node) string {
	return func(n ast.Node) string {
		p := set.Position(n.Pos())
		return fmt.Sprintf("%s:%d", filepath.ToSlash(p.Filename), p.Line)
	}
}

// sleeps finds every use of time.Sleep, under whatever name time is imported.
func sleeps(f *ast.File, at func(ast.Node) string) (found []string) {
	clock := ""
	for _, i := range f.Imports {
		if i.Path.Value == `"time"` {
			clock = "time"
			if i.Name != nil {
				clock = i.Name.Name
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
			if x, ok := s.X.(*ast.Ident); ok && clock != "" && x.Name == clock {
				found = append(found, at(n)+" sleeps")
			}
		}
		return true
	})
	return found
}

// undocumented finds exported names without a comment. A group of constants or
// variables may share the one above it, fields are covered by their type's, and
// the methods of error and fmt.Stringer by the standard library's.
func undocumented(f *ast.File, at func(ast.Node) string) (found []string) {
	report := func(n ast.Node, name string) { found = append(found, at(n)+" "+name+" has no comment") }
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			standard := d.Recv != nil && (d.Name.Name == "Error" || d.Name.Name == "String")
			if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) && !standard {
				report(d, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
							report(name, name.Name)
						}
					}
				case *ast.TypeSpec:
					if !spec.Name.IsExported() {
						continue
					}
					if spec.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
						report(spec, spec.Name.Name)
					}
					if contract, ok := spec.Type.(*ast.InterfaceType); ok {
						for _, m := range contract.Methods.List {
							if len(m.Names) > 0 && m.Names[0].IsExported() && m.Doc == nil && m.Comment == nil {
								report(m, spec.Name.Name+"."+m.Names[0].Name)
							}
						}
					}
				}
			}
		}
	}
	return found
}

// exportedReceiver tells whether d is a function or a method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch generic := t.(type) {
	case *ast.IndexExpr:
		t = generic.X
	case *ast.IndexListExpr:
		t = generic.X
	}
	name, ok := t.(*ast.Ident)
	return ok && name.IsExported()
}
