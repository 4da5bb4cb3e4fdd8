package isolation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// request is a request that is ready but for its credential. Its path is sent as
// it stands, byte for byte.
type request struct {
	method string
	path   string
	query  string
	header map[string][]string
	body   string
}

// credential is what a request is sent with.
type credential struct {
	name   string
	header []string // the Authorization headers; none for nobody
	query  string

	attacker *attacker // whose it is; nil for a credential that must be refused
}

// attack is one case of the matrix: a request that is sent to the product, with
// what must be true of the answer.
type attack struct {
	family string
	op     *operation
	by     *credential
	send   request

	// twin is the same request about what does not exist. Both must be answered
	// with the same bytes.
	twin *request
	// same says so also of two answers that are successes.
	same bool
	// refused is the rule that any success breaks; "" when it may succeed.
	refused string
	// tells is a status that says something of another; 0 is none.
	tells int
	// unauthenticated says that the answer must be the one 401.
	unauthenticated bool
}

// String names the attack in a finding. It holds no credential.
func (a *attack) String() string {
	return fmt.Sprintf("%s: %s by %s: %s %s?%s %v %.300s", a.op.id, a.family, a.by.name, a.send.method, a.send.path, a.send.query, a.send.header, a.send.body)
}

// sum identifies a request, so that none is counted twice.
func (r *request) sum(by *credential) [sha256.Size]byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s\n%s\n", by.name, r.method, r.path, r.query)
	for _, name := range slices.Sorted(maps.Keys(r.header)) {
		fmt.Fprintf(&b, "%s: %q\n", name, r.header[name])
	}
	b.WriteString(r.body)
	return sha256.Sum256([]byte(b.String()))
}

// distinct counts the different requests of some attacks.
func distinct(attacks []*attack) int {
	seen := map[[sha256.Size]byte]bool{}
	for _, a := range attacks {
		seen[a.send.sum(a.by)] = true
		if a.twin != nil {
			seen[a.twin.sum(a.by)] = true
		}
	}
	return len(seen)
}

// answer is all that came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// next numbers the texts that must be unique.
var next atomic.Int64

// start makes those of this run differ from those of an earlier one on the same
// database.
var start = strconv.FormatInt(time.Now().UnixNano(), 36)

// requestLimit is how long a request may take. None waits for anything.
const requestLimit = 30 * time.Second

const (
	// patience is for how long a request is repeated that Temporal has no room for: it
	// has its own bounds, such as of updates that a workflow has not taken yet, and an
	// answer of theirs shows nothing.
	patience = 10 * time.Second
	again    = 20 * time.Millisecond
)

// do sends a request with a credential, until Temporal has room for it.
func (w *world) do(ctx context.Context, r *request, by *credential) (answer, error) {
	got, err := w.once(ctx, r, by)
	if err != nil || !got.isBusy() {
		return got, err
	}
	tick := time.NewTicker(again)
	defer tick.Stop()
	for begin := time.Now(); err == nil && got.isBusy() && time.Since(begin) < patience; {
		select {
		case <-ctx.Done():
			return answer{}, ctx.Err()
		case <-tick.C:
		}
		got, err = w.once(ctx, r, by)
	}
	return got, err
}

// isBusy tells whether the answer is that Temporal takes no more calls now.
func (a answer) isBusy() bool {
	return a.status == http.StatusTooManyRequests && bytes.Contains(a.body, []byte(`"code":"workflow.temporal_busy"`))
}

// once sends a request with a credential.
func (w *world) once(ctx context.Context, r *request, by *credential) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	body := strings.ReplaceAll(r.body, unique, start+strconv.FormatInt(next.Add(1), 36))
	req, err := http.NewRequestWithContext(ctx, r.method, w.url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	query := r.query
	if by.query != "" {
		query = strings.TrimPrefix(query+"&"+by.query, "&")
	}
	req.URL = &url.URL{Scheme: "http", Host: req.URL.Host, Opaque: r.path, RawQuery: query}
	if body == "" {
		req.Body, req.ContentLength, req.GetBody = http.NoBody, 0, nil
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range r.header {
		if name == "Host" {
			req.Host = values[0]
			continue
		}
		req.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	req.Header["Authorization"] = append(slices.Clone(by.header), r.header["Authorization"]...)
	res, err := w.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: got}, err
}

// succeeded tells whether the answer is one that an attacker wants.
func (a answer) succeeded() bool { return a.status < http.StatusBadRequest }

// volatile are the headers that differ between two answers to one request: the
// time, the request's own number, and what is left of the asker's own quota.
var volatile = []string{"Date", "X-Request-Id", "Ratelimit", "Ratelimit-Policy"}

var requestID = regexp.MustCompile(`"request_id":"[^"]+"`)

// bytes is the whole answer as text.
func (a answer) bytes() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d %s\n", a.status, http.StatusText(a.status))
	_ = a.header.Write(&b) // a buffer takes everything
	b.WriteString("\n")
	b.Write(a.body)
	return b.String()
}

// plain is the answer without what differs between any two.
func (a answer) plain() string {
	header := a.header.Clone()
	for _, name := range volatile {
		header.Del(name)
	}
	return answer{status: a.status, header: header, body: requestID.ReplaceAll(a.body, nil)}.bytes()
}

// encode writes a body.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a seed's body is maps, lists, texts and numbers
	}
	return string(b)
}
