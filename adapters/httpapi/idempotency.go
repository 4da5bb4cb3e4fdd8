package httpapi

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
)

// The headers of requests that may be sent again, in canonical form. A POST that
// takes no Idempotency-Key says why in the contract, by x-no-idempotency-key.
const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
)

var (
	errKeyReused = fault.Define(fault.Invalid, "request.idempotency_key_reused",
		"The Idempotency-Key was used for another request. Every request needs one of its own.")
	errAnswerLost = fault.Define(fault.Conflict, "request.answer_lost",
		"The request was carried out, and its answer was lost with the process that made it. Look at what there is now.")
)

// repeatable are the operations whose work is done once because of its name,
// outside the database: Temporal starts one workflow of an id, answers the same
// request id with the same run, and delivers a signal of the same request id and
// an update of the same update id once; a run ends once. It makes one schedule and
// one batch of an id, too, and that is paused, or stopped, or not. Their transaction
// holds nothing but the audit entry of the attempt.
var repeatable = []string{
	"startWorkflow", "signalWorkflow", "updateWorkflow", "cancelWorkflow", "terminateWorkflow",
	"batchCancelWorkflows", "batchTerminateWorkflows", "batchSignalWorkflows", "stopWorkflowBatch",
	"createSchedule", "pauseSchedule", "resumeSchedule",
}

const (
	// leaseGrace is how much longer than its deadline an attempt may seem alive.
	// It is no matter of safety: an attempt that was taken for dead can commit
	// nothing.
	leaseGrace = 2 * time.Second

	// settleTimeout bounds the storing of an answer, whatever has become of the
	// request's own time.
	settleTimeout = 5 * time.Second
)

// keptHeaders are the headers that belong to an answer and not to its delivery.
var keptHeaders = []string{"Content-Type", "Cache-Control", "Etag", "Location", "Preference-Applied"}

// once carries a request with an Idempotency-Key out once, however often it is
// sent. One without the header costs nothing.
func (s *Server) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := exchangeOf(r.Context())
		if !e.endpoint.idempotent || r.Header[idempotencyHeader] == nil {
			next.ServeHTTP(w, r)
			return
		}
		claim, fingerprint, err := s.claim(r)
		if err != nil {
			fail(w, r, err)
			return
		}
		found, ours, err := s.requests.Claim(r.Context(), &claim, fingerprint, idempotency.Terms{
			Lease: untilDeadline(r.Context()) + leaseGrace, Keep: idempotency.Keep,
		})
		switch {
		case err != nil:
			fail(w, r, err)
		case ours:
			s.carryOut(w, r, claim, next)
		default:
			s.repeat(w, r, claim, fingerprint, found)
		}
	})
}

// claim names the request, and returns the fingerprint of all that it asks for.
// That is keyed by the client's word, of which only a sum is stored: whoever
// reads the database can not try what the request may have been.
func (s *Server) claim(r *http.Request) (idempotency.Claim, idempotency.Digest, error) {
	e, word := exchangeOf(r.Context()), r.Header.Get(idempotencyHeader)
	body, err := canonicalBody(r)
	if err != nil {
		return idempotency.Claim{}, idempotency.Digest{}, err
	}
	at, err := s.canonicalPath(r)
	if err != nil {
		return idempotency.Claim{}, idempotency.Digest{}, err
	}
	at = r.Method + " " + at
	c := idempotency.Claim{
		Request: idempotency.Request{
			Org: e.actor.Org(), Key: e.actor.Key(), Operation: e.endpoint.id, Name: sha256.Sum256([]byte(at + "\n" + word)),
		},
		Token: uuid.New(), Repeatable: e.endpoint.repeatable,
	}
	sum := hmac.New(sha256.New, []byte(word))
	sum.Write([]byte(at + "?" + r.URL.Query().Encode() + "\n"))
	sum.Write(body)
	return c, idempotency.Digest(sum.Sum(nil)), nil
}

// canonicalPath returns the request's path as anybody would write it who names the
// organization by its id: by its slug it is the same request, until that is another
// organization's. Who names an id asks the database for nothing here; that there is
// such an organization is for the handler to find.
func (s *Server) canonicalPath(r *http.Request) (string, error) {
	e := exchangeOf(r.Context())
	path := e.endpoint.route.pattern
	for _, p := range e.endpoint.path {
		value, err := pathValue(r, p.name)
		if err != nil {
			return "", err
		}
		if p.name == orgParameter {
			if value, err = s.orgNamed(r.Context(), value); err != nil {
				return "", err
			}
		}
		path = strings.Replace(path, "{"+p.name+"}", url.PathEscape(value), 1)
	}
	return path, nil
}

// orgNamed returns the id of the organization that a path names. What it found out
// is kept for the handler.
func (s *Server) orgNamed(ctx context.Context, ref string) (string, error) {
	if o, err := id.Parse[id.OrgKind](ref); err == nil {
		return o.String(), nil
	}
	e := exchangeOf(ctx)
	o, err := s.orgs.Resolve(ctx, e.actor, ref)
	if err != nil {
		return "", err
	}
	e.orgRef, e.org = ref, o
	return o.String(), nil
}

// canonicalBody returns the body without what makes no difference: space, and
// the order of names. It leaves the body to be read again. It was checked
// before: whatever fails here has failed there.
func canonicalBody(r *http.Request) ([]byte, error) {
	if exchangeOf(r.Context()).endpoint.body == nil {
		return nil, nil
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	value, err := parseStrict(raw)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// untilDeadline is how long the request may take; every one has a deadline.
func untilDeadline(ctx context.Context) time.Duration {
	at, _ := ctx.Deadline()
	return max(0, time.Until(at))
}

// carryOut lets the handler work and keeps its answer before it is sent. The
// client may go meanwhile, as it does to send the request again: the work goes
// on, for that one to be answered.
func (s *Server) carryOut(w http.ResponseWriter, r *http.Request, claim idempotency.Claim, next http.Handler) {
	answer := &recorder{ResponseWriter: w}
	kept := false
	defer func() { // after a panic, too
		if !kept {
			s.settle(r, "claim not released", func(ctx context.Context) error { return s.requests.Release(ctx, claim) })
		}
	}()
	at, _ := r.Context().Deadline()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.Context()), at)
	defer cancel()
	e := exchangeOf(ctx)
	e.grants = &authz.Grants{}
	next.ServeHTTP(answer, r.WithContext(idempotency.With(ctx, claim)))
	if isFinal(answer.status) {
		sealed, version := s.vault.Seal(answer.encode(e.grants.Noted()), belonging(claim.Request))
		kept = s.settle(r, "answer not kept", func(ctx context.Context) error {
			return s.requests.Answer(ctx, claim, idempotency.Answer{Status: answer.status, Sealed: sealed, SealedBy: version})
		})
	}
	answer.send()
}

// settle does what follows an attempt. Its failure is no failure of the request.
func (s *Server) settle(r *http.Request, failure string, do func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), settleTimeout)
	defer cancel()
	if err := do(ctx); err != nil {
		s.log.WarnContext(ctx, "attempt not settled", "what", failure, "request_id", exchangeOf(r.Context()).requestID[0], "error", err)
		return false
	}
	return true
}

// isFinal tells whether sending the request again can bring no other answer
// because of what was in the way this time.
func isFinal(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, statusClientGone:
		return false
	}
	return status >= http.StatusOK && status < http.StatusInternalServerError
}

// recorder holds an answer back until it is kept.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader begins the answer.
func (a *recorder) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write adds to the body.
func (a *recorder) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *recorder) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *recorder) encode(grants []authz.Grant) []byte {
	kept := keptAnswer{Header: map[string]string{}, Body: a.body.Bytes(), Grants: grants}
	for _, name := range keptHeaders {
		if v := a.Header().Get(name); v != "" {
			kept.Header[name] = v
		}
	}
	text, err := json.Marshal(kept)
	if err != nil { // texts and bytes only: it can not fail
		panic(err)
	}
	return text
}

// send sends what was held back. A handler that answers nothing answers 200, as
// net/http has it.
func (a *recorder) send() {
	a.WriteHeader(http.StatusOK)
	a.ResponseWriter.WriteHeader(a.status)
	_, _ = a.ResponseWriter.Write(a.body.Bytes()) // the client may be gone: there is nobody left to tell
}
