package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/api"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
)

// requests remembers in memory. That the real one lets a single attempt in is
// what porttest and test/e2e show.
type requests struct {
	mu      sync.Mutex
	known   map[idempotency.Request]*remembered
	failure error // of everything but claims
}

type remembered struct {
	idempotency.Record
	token idempotency.Claim
}

func (q *requests) Claim(_ context.Context, c *idempotency.Claim, fingerprint idempotency.Digest, _ idempotency.Terms) (idempotency.Record, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.Since = now
	if q.known == nil {
		q.known = map[idempotency.Request]*remembered{}
	}
	found := q.known[c.Request]
	if found == nil || (found.Fingerprint == fingerprint && found.Lapsed && !found.Committed && found.Answer.Status == 0) {
		q.known[c.Request] = &remembered{idempotency.Record{Fingerprint: fingerprint}, *c}
		return idempotency.Record{}, true, nil
	}
	return found.Record, false, nil
}

func (q *requests) change(c idempotency.Claim, fn func(*remembered)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failure != nil {
		return q.failure
	}
	found := q.known[c.Request]
	if found == nil || found.token.Token != c.Token {
		return idempotency.ErrInProgress
	}
	fn(found)
	return nil
}

func (q *requests) Answer(_ context.Context, c idempotency.Claim, a idempotency.Answer) error {
	return q.change(c, func(r *remembered) { r.Answer = a })
}

func (q *requests) Release(_ context.Context, c idempotency.Claim) error {
	return q.change(c, func(r *remembered) { r.Lapsed = true })
}

func (*requests) Erase(context.Context, int) (int, error) { return 0, errors.ErrUnsupported }

// every returns what is remembered.
func (q *requests) every() (all []*remembered) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.known {
		all = append(all, r)
	}
	return all
}

// vault seals by writing backwards: enough to see that it was asked.
type vault struct{}

func (vault) Seal(text, belongsTo []byte) (sealed []byte, version int16) {
	return append(append([]byte{}, belongsTo...), backwards(text)...), 3
}

func (vault) Open(sealed []byte, version int16, belongsTo []byte) ([]byte, error) {
	text, ours := strings.CutPrefix(string(sealed), string(belongsTo))
	if !ours || version != 3 {
		return nil, errors.New("it is not for this")
	}
	return backwards([]byte(text)), nil
}

func backwards(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return out
}

// keyed returns a request with an Idempotency-Key.
func keyed(r *http.Request, key string) *http.Request {
	r.Header.Set("Idempotency-Key", key)
	return r
}

func TestIdempotencyContract(t *testing.T) {
	t.Parallel()
	doc := must(openapi3.NewLoader().LoadFromData(api.Document))

	for _, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			t.Run("Should take an Idempotency-Key, or say why not: "+op.OperationID, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				takes := op.Parameters.GetByInAndName(openapi3.ParameterInHeader, idempotencyHeader) != nil
				reason, excused := op.Extensions["x-no-idempotency-key"].(string)
				if method != http.MethodPost {
					is.True(!takes && !excused)
					return
				}
				is.True(takes != (excused && len(reason) > 20))
			})
		}
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	create := func(key, body string, b *bundle) *httptest.ResponseRecorder {
		return b.do(keyed(request("POST", keysURL, b.admin, body), key))
	}
	const ci = `{"name":"ci","scopes":["users:read"]}`

	t.Run("Should answer the same request with the first one's answer, and do nothing again", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		before := len(b.memory.keys)

		first := create("k1", ci, b)
		again := create("k1", "{ \"scopes\": [\"users:read\"],\n\"name\": \"ci\" }", b) // the same, written otherwise
		is.Equal(first.Code, http.StatusCreated)
		is.Equal(again.Code, http.StatusCreated)
		is.Equal(again.Body.String(), first.Body.String())
		for _, name := range []string{"Location", "Content-Type", "Cache-Control"} {
			is.True(first.Header().Get(name) != "")
			is.Equal(again.Header().Get(name), first.Header().Get(name))
		}
		is.Equal(first.Header().Get("Idempotency-Replayed"), "")
		is.Equal(again.Header().Get("Idempotency-Replayed"), "true")
		is.True(again.Header().Get("X-Request-Id") != first.Header().Get("X-Request-Id"))
		is.Equal(len(b.memory.keys), before+1)
	})

	t.Run("Should take a body that is absent and one that says nothing for the same request", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		rotate := func(body string) *httptest.ResponseRecorder {
			return b.do(keyed(request("POST", keysURL+"/"+b.key.Snapshot().ID.String()+"/rotate", b.admin, body), "k1"))
		}
		first := rotate("")
		is.Equal(first.Code, http.StatusOK)
		for _, body := range []string{"", "{ }"} {
			again := rotate(body)
			is.Equal(again.Header().Get("Idempotency-Replayed"), "true")
			is.Equal(again.Body.String(), first.Body.String())
		}
		is.Equal(b.problem(rotate(`{"until_seen":true}`)).Code, "request.idempotency_key_reused")
	})

	t.Run("Should keep no answer and no word of the client in clear", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		create("word-of-mine", ci, b)
		for _, r := range b.requests.every() {
			is.True(len(r.Answer.Sealed) > 0)
			is.True(!strings.Contains(string(r.Answer.Sealed), "bhk_"))
			is.True(!strings.Contains(string(r.token.Name[:])+string(r.Fingerprint[:])+r.token.Operation, "word-of-mine"))
		}
		is.True(!strings.Contains(b.log.String(), "word-of-mine"))
	})

	t.Run("Should refuse another request with the same key", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		create("k1", ci, b)
		w := create("k1", `{"name":"cd","scopes":["users:read"]}`, b)
		is.Equal(w.Code, http.StatusUnprocessableEntity)
		is.Equal(b.problem(w).Code, "request.idempotency_key_reused")
		is.Equal(field(b.problem(w)), "Idempotency-Key unique")
	})

	t.Run("Should keep keys apart by credential and by path", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		is.Equal(create("k1", ci, b).Code, http.StatusCreated)
		other := b.do(keyed(request("POST", keysURL, b.operator, ci), "k1"))
		is.Equal(other.Code, http.StatusCreated)
		is.Equal(other.Header().Get("Idempotency-Replayed"), "")
		user := b.do(keyed(request("POST", usersURL, b.admin, `{"email":"grace@acme.example","role":"member"}`), "k1"))
		is.Equal(user.Code, http.StatusCreated)
	})

	t.Run("Should ask to come back while the request is carried out", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		create("k1", ci, b)
		for _, r := range b.requests.every() {
			r.Answer = idempotency.Answer{}
		}

		w := create("k1", ci, b)
		is.Equal(w.Code, http.StatusConflict)
		is.Equal(b.problem(w).Code, "request.in_progress")
		is.Equal(w.Header().Get("Retry-After"), "1")
	})

	t.Run("Should do nothing again when the answer was lost, and say what it was about", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		create("k1", ci, b)
		before := len(b.memory.keys)
		for _, r := range b.requests.every() {
			r.Answer, r.Committed, r.Lapsed, r.Resource = idempotency.Answer{}, true, true, "apikey key_1"
		}

		w := create("k1", ci, b)
		is.Equal(w.Code, http.StatusConflict)
		is.Equal(b.problem(w).Code, "request.answer_lost")
		is.True(strings.Contains(b.problem(w).Detail, "apikey key_1"))
		is.Equal(len(b.memory.keys), before)
	})

	t.Run("Should keep a refusal, too", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		body := `{"name":"ci","scopes":["organizations:create"]}`
		first, again := create("k1", body, b), create("k1", body, b)
		is.Equal(first.Code, http.StatusForbidden)
		is.Equal(again.Body.String(), first.Body.String())
		is.Equal(again.Header().Get("Content-Type"), "application/problem+json")
		is.Equal(again.Header().Get("Idempotency-Replayed"), "true")
	})

	t.Run("Should let the client try again what failed by no fault of the request", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.memory.writeFailure = errors.New("the database is away")

		is.Equal(create("k1", ci, b).Code, http.StatusInternalServerError)
		b.memory.writeFailure = nil
		w := create("k1", ci, b)
		is.Equal(w.Code, http.StatusCreated)
		is.Equal(w.Header().Get("Idempotency-Replayed"), "")
	})

	t.Run("Should let the client try again after a panic", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.memory.writePanics = true

		is.Equal(create("k1", ci, b).Code, http.StatusInternalServerError)
		b.memory.writePanics = false
		is.Equal(create("k1", ci, b).Code, http.StatusCreated)
	})

	t.Run("Should go on when the client has gone, so that it gets the answer when it comes back", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		ctx, leave := context.WithCancel(t.Context())
		b.memory.writing = leave // in the middle of it

		r := keyed(request("POST", keysURL, b.admin, ci), "k1").WithContext(ctx)
		b.do(r)
		w := create("k1", ci, b)
		is.Equal(w.Code, http.StatusCreated)
		is.Equal(w.Header().Get("Idempotency-Replayed"), "true")
	})

	t.Run("Should answer although the answer can not be kept, and then not do it again", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.requests.failure = errors.New("the database is away")

		is.Equal(create("k1", ci, b).Code, http.StatusCreated)
		is.Equal(create("k1", ci, b).Code, http.StatusConflict)
	})

	t.Run("Should refuse a key of another form, and do nothing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for _, key := range []string{"", "with space", "ä", strings.Repeat("a", 129)} {
			w := create(key, ci, b)
			is.Equal(w.Code, http.StatusBadRequest)
			is.Equal((*b.problem(w).Fields)[0].Pointer, "Idempotency-Key")
		}
		is.Equal(len(b.requests.every()), 0)
	})

	t.Run("Should name what it starts by the request, so that another attempt finds it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		start := func(key string) string {
			is.Equal(b.do(keyed(request("POST", flowsURL, b.admin, `{"type":"Order","task_queue":"orders"}`), key)).Code, http.StatusCreated)
			return b.memory.started.ID
		}
		first := start("k1")
		b.requests.known = nil // as if the first attempt had died without a trace
		is.Equal(start("k1"), first)
		is.True(start("k2") != first)
	})
}
