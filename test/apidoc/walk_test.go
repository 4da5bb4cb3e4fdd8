package apidoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

// step is one request of the tour. In its texts "{name}" stands for what an
// earlier step has kept under that name.
type step struct {
	op     string            // the operation's id
	as     string            // whose key: that kept under the name "<as>.key"; "" for nobody's
	path   map[string]string // the path's parameters
	query  string            // as it stands in the URL
	header map[string]string // besides Authorization and Content-Type
	body   string
	keep   map[string]string // name → where: "/a/0/b" in the answer, or a header's name
	note   string            // what the reader should see
	hidden bool              // prepares the ground and is not shown
	until  string            // asks again until the answer holds this text
	status int               // 0: any of 2xx
	github bool              // is sent and signed by GitHub
	sql    string            // prepares the ground in the place of a request
}

// operation is what the document says of one.
type operation struct {
	id, method, path, tag string
	declared              *openapi3.Operation
}

// shown is a step and what came of it, ready to print.
type shown struct{ note, request, answer, keep string }

// operationsOf returns the operations in the order of their tags, paths and methods.
func operationsOf(doc *openapi3.T) []operation {
	var all []operation
	for path, item := range doc.Paths.Map() {
		for method, declared := range item.Operations() {
			all = append(all, operation{declared.OperationID, method, path, declared.Tags[0], declared})
		}
	}
	rank := map[string]int{}
	for i, tag := range doc.Tags {
		rank[tag.Name] = i
	}
	order := map[string]int{"POST": 0, "GET": 1, "PUT": 2, "PATCH": 3, "DELETE": 4}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		switch {
		case rank[a.tag] != rank[b.tag]:
			return rank[a.tag] < rank[b.tag]
		case a.path != b.path:
			return a.path < b.path
		}
		return order[a.method] < order[b.method]
	})
	return all
}

// walk takes the tour on a stack of its own and returns what it saw, by operation.
func walk(t *testing.T, operations []operation) map[string][]shown {
	t.Helper()
	s := harness.NewStack(t)
	serveGreetings(t, s)
	w := &walker{t: t, url: s.URL, github: newGitHub(t, s), kept: map[string]string{"operator.key": s.OperatorKey, "fleet.key": s.WorkerKey, "today": time.Now().UTC().Truncate(24 * time.Hour).Format(time.RFC3339)}, byID: map[string]operation{}}
	for _, op := range operations {
		w.byID[op.id] = op
	}
	out := map[string][]shown{}
	names := newNames()
	for _, at := range tour {
		if at.sql != "" {
			execute(t, s, at.sql)
			continue
		}
		request, answer := w.take(at)
		if !at.hidden && !t.Failed() {
			out[at.op] = append(out[at.op], shown{at.note, names.replace(request), names.replace(answer), kept(at)})
		}
	}
	return out
}

// serveGreetings runs the example worker.
func serveGreetings(t *testing.T, s *harness.Stack) {
	t.Helper()
	worker := harness.NewDaemon("example worker", harness.Build(t, "sdk/examples/worker"), "",
		[]string{"PATH=" + os.Getenv("PATH"), "BULKHEAD_URL=" + s.URL, "BULKHEAD_API_KEY=" + s.WorkerKey})
	worker.Launch(t)
	t.Cleanup(func() { worker.Stop() })
}

type walker struct {
	t      *testing.T
	url    string
	github github
	kept   map[string]string
	byID   map[string]operation
}

// fill puts what was kept in the place of its names.
func (w *walker) fill(s string) string {
	for name, value := range w.kept {
		s = strings.ReplaceAll(s, "{"+name+"}", value)
	}
	return s
}

// take takes one step and returns how its request and its answer are printed.
func (w *walker) take(at step) (request, answer string) {
	w.t.Helper()
	op, ok := w.byID[at.op]
	if !ok {
		w.t.Fatalf("the document has no operation %s", at.op)
	}
	path := op.path
	for name, value := range at.path {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(w.fill(value)))
	}
	if at.query != "" {
		path += "?" + w.fill(at.query)
	}
	var res *http.Response
	var body []byte
	for deadline := time.Now().Add(harness.WaitLimit); ; {
		res, body = w.send(op, at, path)
		if strings.Contains(string(body), at.until) {
			break
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s never answered with %q:\n%s", at.op, at.until, body)
		}
	}
	if good := res.StatusCode/100 == 2; (at.status == 0 && !good) || (at.status != 0 && res.StatusCode != at.status) {
		w.t.Errorf("%s as %q: %s\n%s", at.op, at.as, res.Status, body)
	}
	w.remember(at, res, body)
	return w.curl(op, at, path), printed(res, body)
}

// send sends the request of a step.
func (w *walker) send(op operation, at step, path string) (*http.Response, []byte) {
	w.t.Helper()
	base := w.url
	if at.github {
		base = w.github.url
	}
	req, err := http.NewRequestWithContext(w.t.Context(), op.method, base+path, strings.NewReader(w.fill(at.body)))
	if err != nil {
		w.t.Fatal(err)
	}
	if at.as != "" {
		req.Header.Set("Authorization", "Bearer "+w.kept[at.as+".key"])
	}
	if at.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if at.github {
		w.github.sign(w.t, req, w.fill(at.body))
	}
	for name, value := range at.header {
		req.Header.Set(name, w.fill(value))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res, body
}

// remember keeps what later steps ask for.
func (w *walker) remember(at step, res *http.Response, body []byte) {
	w.t.Helper()
	for name, where := range at.keep {
		if !strings.HasPrefix(where, "/") {
			w.kept[name] = res.Header.Get(where)
			continue
		}
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			w.t.Fatalf("%s: %v", at.op, err)
		}
		for part := range strings.SplitSeq(where[1:], "/") {
			switch v := value.(type) {
			case map[string]any:
				value = v[part]
			case []any:
				var i int
				if _, err := fmt.Sscan(part, &i); err != nil || i >= len(v) {
					w.t.Fatalf("%s: %s is not in the answer\n%s", at.op, where, body)
				}
				value = v[i]
			}
		}
		w.kept[name] = fmt.Sprint(value)
	}
}

// curl prints a request as a command that can be pasted.
func (w *walker) curl(op operation, at step, path string) string {
	var b strings.Builder
	b.WriteString("curl -s")
	if op.method != http.MethodGet && (op.method != http.MethodPost || at.body == "") {
		b.WriteString(" -X " + op.method)
	}
	b.WriteString(` "$BULKHEAD_URL` + path + `"`)
	if at.as != "" {
		b.WriteString(" \\\n    -H \"Authorization: Bearer $" + variable(at.as) + `"`)
	}
	if at.github {
		b.WriteString(" \\\n    -H 'Github-Public-Key-Identifier: …' \\\n    -H 'Github-Public-Key-Signature: …'")
	}
	names := make([]string, 0, len(at.header))
	for name := range at.header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&b, " \\\n    -H '%s: %s'", name, w.fill(at.header[name]))
	}
	if at.body != "" {
		fmt.Fprintf(&b, " \\\n    -H 'Content-Type: application/json' \\\n    -d '%s'", w.fill(at.body))
	}
	return b.String()
}

// kept says what the reader keeps of an answer for steps to come: the secret of
// who takes some of them.
func kept(at step) string {
	for name := range at.keep {
		as, isKey := strings.CutSuffix(name, ".key")
		if isKey && slices.ContainsFunc(tour, func(s step) bool { return s.as == as }) {
			return "Keep the secret of this answer: `export " + variable(as) + "=bhk_…`."
		}
	}
	return ""
}

// variable names the shell variable that holds a key.
func variable(as string) string {
	return strings.ToUpper(strings.ReplaceAll(as, " ", "_")) + "_KEY"
}

// told are the headers that say something of their own.
var told = []string{
	"Location", "ETag", "Retry-After", "Preference-Applied", "Idempotency-Replayed", "Deprecation", "Sunset", "WWW-Authenticate",
}

// printed prints an answer.
func printed(res *http.Response, body []byte) string {
	var b strings.Builder
	b.WriteString(res.Status + "\n")
	for _, name := range told {
		if v := res.Header.Get(name); v != "" {
			b.WriteString(name + ": " + v + "\n")
		}
	}
	media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if len(body) == 0 {
		return b.String()
	}
	b.WriteString("Content-Type: " + media + "\n\n")
	var indented bytes.Buffer
	switch {
	case !strings.HasSuffix(media, "/json") && !strings.HasSuffix(media, "+json"):
		b.Write(firstLines(body))
	case json.Indent(&indented, bytes.TrimSpace(body), "", "  ") == nil && indented.Len() > longest:
		b.Write(firstLines(indented.Bytes()))
	default:
		b.Write(indented.Bytes())
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// An answer that is longer than a reader wants is cut.
const (
	longest  = 4000
	maxLines = 12
)

func firstLines(body []byte) []byte {
	lines := bytes.Split(bytes.TrimRight(body, "\n"), []byte("\n"))
	if len(lines) <= maxLines {
		return body
	}
	return append(bytes.Join(lines[:maxLines], []byte("\n")), "\n…\n"...)
}

// names gives what is new in each run, such as identifiers and times, the same
// text in every run.
type names struct {
	count map[string]int
	known map[string]string
}

func newNames() *names { return &names{count: map[string]int{}, known: map[string]string{}} }

var (
	identifier = regexp.MustCompile(`\b(org|usr|key|op|evt|msg|rol|role)_[0-9a-z]{26}\b`)
	uuidForm   = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	namespace  = regexp.MustCompile(`\borg-([a-z0-9-]+)-[0-9a-z]{8}\b`)
)

// forms are the texts that are simply not the same twice.
var forms = []struct {
	form *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`bhk_[0-9A-Za-z]{49}`), "bhk_…"},
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), "eyJ…"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "2026-01-02T03:04:05Z"},
	{regexp.MustCompile(`(\\?")(\d+)\.[\w-]{16}(\\?")`), "${1}${2}.Hc3uJ0Zp5dW8kQ1x${3}"},
	{regexp.MustCompile(`ETag: "[\w-]{22}\.\w+"`), `ETag: "xfXVT9_uBISUXZptUXV9Vw.1hcfjv1"`},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:7233"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "9f86d081884c7d65…"},
	{regexp.MustCompile(`"unversioned:[0-9a-f]{32}"`), `"unversioned:9f86d081884c7d659a2feaa0c55ad015"`}, // by the worker's program
	{regexp.MustCompile(`"(request_id|next_cursor|hint|last_four|prefix|kid|x|y|go|commit)":( ?)"[^"]*"`), `"$1":$2"…"`},
	{regexp.MustCompile(`("last_four":\{"after":)"\w{4}"`), `$1"…"`},
	// When a key was used is written down later, in its own time.
	{regexp.MustCompile(`(?m)^ *"last_(used|seen)_\w+": [^\n]*,\n`), ""},
	{regexp.MustCompile(`([?&]cursor=)[\w-]+`), "${1}…"},
	{regexp.MustCompile(`"(duration_ms|latency_ms|expires_in)": \d+`), `"$1": 12`},
}

func (n *names) replace(s string) string {
	s = identifier.ReplaceAllStringFunc(s, func(found string) string {
		kind, _, _ := strings.Cut(found, "_")
		return n.name(found, kind, func(i int) string { return fmt.Sprintf("%s_01kbexample%015d", kind, i) })
	})
	s = uuidForm.ReplaceAllStringFunc(s, func(found string) string {
		return n.name(found, "uuid", func(i int) string { return fmt.Sprintf("019a0000-0000-7000-8000-%012d", i) })
	})
	s = namespace.ReplaceAllString(s, "org-$1-0a1b2c3d")
	for _, f := range forms {
		s = f.form.ReplaceAllString(s, f.with)
	}
	return s
}

// name returns the text that stands for what was found.
func (n *names) name(found, kind string, text func(int) string) string {
	if known, ok := n.known[found]; ok {
		return known
	}
	n.count[kind]++
	n.known[found] = text(n.count[kind])
	return n.known[found]
}
