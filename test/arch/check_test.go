package arch_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	module          = "github.com/bulkheadhq/bulkhead"
	maxFileLines    = 500
	maxHandlerLines = 30
	maxMainLines    = 40
)

// The rules that are not about imports.
const (
	ruleParses     = "every file parses"
	ruleGoMod      = "go.mod names no Temporal server"
	ruleFileLength = "a long file says why"
	ruleNaming     = "a package is named after what it provides"
	ruleHandler    = "handlers are thin"
	ruleMain       = "main is thin"
)

var (
	vagueNames = []string{"common", "util", "utils", "helper", "helpers", "misc", "shared"}
	longFile   = regexp.MustCompile(`(?m)^// Long file: \S+`)
)

// violation is one broken rule at one place.
type violation struct {
	Rule, Where, What, Reason string
}

func (v violation) String() string {
	return fmt.Sprintf("%s: %s (%s: %s)", v.Where, v.What, v.Rule, v.Reason)
}

// check returns every violation in a source tree. It reads the tree itself and asks no go command, so that the
// test cache notices an edited file and a tree that does not compile is checked all the same.
func check(tree fs.FS) ([]violation, error) {
	var found []violation
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // removed while we walk
			}
			return err
		}
		if entry.IsDir() {
			if name != "." && ignored(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if name != "go.mod" && path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if name == "go.mod" {
			found = append(found, checkGoMod(string(text))...)
			return nil
		}
		found = append(found, checkFile(name, text)...)
		return nil
	})
	return found, err
}

// ignored reports the folders that the go command does not look into either, and the build results.
func ignored(dir string) bool {
	return strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_") ||
		slices.Contains([]string{"bin", "node_modules", "testdata", "vendor"}, dir)
}

func checkGoMod(text string) []violation {
	var found []violation
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "//")
		if strings.Contains(line, "go.temporal.io/server") {
			found = append(found, violation{
				ruleGoMod, fmt.Sprintf("go.mod:%d", i+1), strings.TrimSpace(line),
				"the embedded server belongs to the module of cmd/bulkhead-dev",
			})
		}
	}
	return found
}

func checkFile(name string, text []byte) []violation {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return []violation{{ruleParses, name, err.Error(), "what cannot be read cannot be checked"}}
	}
	found := checkImports(name, file, files)
	if ast.IsGenerated(file) {
		return found
	}
	found = append(found, checkNaming(name, file)...)
	found = append(found, checkLength(name, text)...)
	return append(found, checkHandlers(name, file, files)...)
}

func checkImports(name string, file *ast.File, files *token.FileSet) []violation {
	var found []violation
	dir := path.Dir(name)
	isTest := strings.HasSuffix(name, "_test.go") || name == "test" || strings.HasPrefix(name, "test/")
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused it
		}
		for _, r := range importRules {
			if (isTest && !r.Tests) || !r.breaks(dir, imported) {
				continue
			}
			where := fmt.Sprintf("%s:%d", name, files.Position(spec.Pos()).Line)
			found = append(found, violation{r.Name, where, "imports " + imported, r.Reason})
		}
	}
	return found
}

// breaks reports whether a file in dir must not import what it does.
func (r rule) breaks(dir, imported string) bool {
	for _, pattern := range r.NotIn {
		if _, in := match(pattern, dir); in {
			return false
		}
	}
	for _, pattern := range r.In {
		captured, in := match(pattern, dir)
		if !in {
			continue
		}
		names := namesOf(imported)
		if matchAny(r.Deny, names, nil) && !matchAny(r.Allow, names, captured) {
			return true
		}
	}
	return false
}

// namesOf returns the forms under which a pattern may speak of an import.
func namesOf(imported string) []string {
	if imported == module || strings.HasPrefix(imported, module+"/") {
		return []string{"." + strings.TrimPrefix(imported, module)}
	}
	if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
		return []string{imported, "other/" + imported}
	}
	return []string{imported, "std/" + imported}
}

func matchAny(patterns, names, captured []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		for i, c := range captured {
			pattern = strings.ReplaceAll(pattern, fmt.Sprintf("{%d}", i+1), c)
		}
		return slices.ContainsFunc(names, func(name string) bool {
			_, ok := match(pattern, name)
			return ok
		})
	})
}

// match compares a pattern with a slash-separated name and returns what its stars stood for.
func match(pattern, name string) (captured []string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(name, "/")
	for i, segment := range want {
		if segment == "..." {
			return captured, true
		}
		if i >= len(have) || (segment != "*" && segment != have[i]) {
			return nil, false
		}
		if segment == "*" {
			captured = append(captured, have[i])
		}
	}
	return captured, len(want) == len(have)
}

func checkNaming(name string, file *ast.File) []violation {
	pkg := strings.TrimSuffix(file.Name.Name, "_test")
	if !slices.Contains(vagueNames, pkg) && !slices.Contains(vagueNames, path.Base(path.Dir(name))) {
		return nil
	}
	return []violation{{ruleNaming, name, "package " + pkg, "a drawer for everything is where layers are mixed"}}
}

func checkLength(name string, text []byte) []violation {
	lines := strings.Count(string(text), "\n")
	if name == "cmd/bulkhead/main.go" && lines > maxMainLines {
		return []violation{{
			ruleMain, name, fmt.Sprintf("%d lines, at most %d", lines, maxMainLines),
			"what a main package does cannot be tested or reused",
		}}
	}
	if lines > maxFileLines && !longFile.Match(text) {
		return []violation{{
			ruleFileLength, name, fmt.Sprintf("%d lines, at most %d", lines, maxFileLines),
			"split it by subject, or add a comment line `// Long file: <reason>`",
		}}
	}
	return nil
}

func checkHandlers(name string, file *ast.File, files *token.FileSet) []violation {
	if dir := path.Dir(name); dir != "adapters/httpapi" || strings.HasSuffix(name, "_test.go") {
		return nil
	}
	var found []violation
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || !isHandler(fn) {
			continue
		}
		first, last := files.Position(fn.Pos()).Line, files.Position(fn.End()).Line
		if lines := last - first + 1; lines > maxHandlerLines {
			found = append(found, violation{
				ruleHandler, fmt.Sprintf("%s:%d", name, first),
				fmt.Sprintf("%s has %d lines, at most %d", fn.Name.Name, lines, maxHandlerLines),
				"a handler parses, calls one use case and renders; the rest belongs behind it",
			})
		}
	}
	return found
}

// isHandler reports a method of the strict server type.
func isHandler(fn *ast.FuncDecl) bool {
	if fn.Recv == nil || len(fn.Recv.List) != 1 {
		return false
	}
	receiver := fn.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	ident, ok := receiver.(*ast.Ident)
	return ok && strings.EqualFold(ident.Name, "handlers")
}
